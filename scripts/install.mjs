/** Installs the npm packages when they are missing or are not those of package-lock.json. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepError, root, runProgram, step } from './steps.mjs';

/** Runs `npm ci` if it has to; a repository that is up to date costs a few milliseconds. */
export async function install() {
  if (await installed()) return;
  await step('Installing npm packages', async () => {
    const { code, output } = await runProgram('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund'], {
      capture: true,
    });
    if (code !== 0) throw new StepError(`npm ci failed (exit code ${code}):\n${output}`);
  });
}

/**
 * npm writes node_modules/.package-lock.json last of all, so what it lists is really there. Contents are compared, not
 * times: a checkout gives package-lock.json a new time without changing anything.
 */
async function installed() {
  const [wanted, found] = await Promise.all([
    packagesOf(join(root, 'package-lock.json')),
    packagesOf(join(root, 'node_modules', '.package-lock.json')),
  ]);
  if (!found) return false;
  return Object.entries(wanted ?? {}).every(([path, entry]) => {
    if (!path.startsWith('node_modules/')) return true;
    const there = found[path];
    // A package for another platform is in the lock file and, rightly, not installed.
    if (!there) return entry.optional === true || entry.peer === true || entry.devOptional === true;
    return there.version === entry.version && there.link === entry.link;
  });
}

async function packagesOf(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
