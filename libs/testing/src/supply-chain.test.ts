import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// S49 of the reliability reference: what is installed is what was chosen, and installing it runs nothing.

interface Package {
  version?: string;
  link?: boolean;
  resolved?: string;
  integrity?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  hasInstallScript?: boolean;
}

const root = join(__dirname, '../../..');
const text = (file: string) => readFileSync(join(root, file), 'utf8');
const { packages, lockfileVersion } = JSON.parse(text('package-lock.json')) as {
  packages: Record<string, Package>;
  lockfileVersion: number;
};
const installed = Object.entries(packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);

/** Compiled parts of two development tools for machines that no registry at hand has served: optional, and never run. */
const ELSEWHERE = /^node_modules\/(@swc\/core-|@unrs\/resolver-binding-)/;

test('every package is pinned to its very bytes', () => {
  expect(lockfileVersion).toBe(3);
  expect(installed.length).toBeGreaterThan(100);
  const loose = installed.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''));
  for (const [path, { dev, optional, os }] of loose) {
    expect([path, ELSEWHERE.test(path) && dev === true && optional === true && os !== undefined]).toEqual([path, true]);
  }
  expect(loose.filter(([, { dev }]) => !dev)).toEqual([]);
});

test('every package comes from the registry by its version, none from a branch, an address or a folder', () => {
  for (const [path, { version, resolved }] of installed) {
    expect([path, /^\d+\.\d+\.\d+/.test(version ?? '')]).toEqual([path, true]);
    expect([path, resolved === undefined || resolved.startsWith('https://')]).toEqual([path, true]);
  }
  const asked = Object.entries(packages).filter(([path]) => !path.includes('node_modules/'));
  for (const [path, project] of asked) {
    const { dependencies = {}, devDependencies = {} } = project as Record<string, Record<string, string>>;
    for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect([path, name, /^(\*|[\^~]?\d[\w.-]*)$/.test(range)]).toEqual([path, name, true]);
      if (range === '*') expect([path, name]).toEqual([path, expect.stringMatching(/^@weir\//)]);
    }
  }
});

test('installing runs nothing: no package that the apps need has an install script, and npm is told to run none', () => {
  const scripts = installed.filter(([, { hasInstallScript }]) => hasInstallScript);
  expect(scripts.filter(([, { dev }]) => !dev).map(([path]) => path)).toEqual([]);
  expect(text('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  for (const line of text('Dockerfile').match(/npm ci[^\n]*/g) ?? []) expect(line).toContain('--ignore-scripts');
});
