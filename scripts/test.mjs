/**
 * `npm test`: installs and builds what is missing, then runs every test. The servers that tests need are private ones,
 * which jest's own set-up starts (libs/testing/src/jest); further arguments are jest's: `npm test -- libs/events`.
 */
import { join } from 'node:path';
import process from 'node:process';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { askOnTerminal, command, root, runProgram, step } from './steps.mjs';

const packages = [
  'rabbitmq-server',
  'redis-server',
  'influxdb',
  'docker-registry',
  'skopeo',
  'buildah',
  'openssl',
  'prometheus',
  'chromium',
];

export const run = command(async (args) => {
  const yes = args.includes('--yes');
  await install();
  await build();
  await installPrograms(yes);
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const { code } = await runProgram(process.execPath, [jest, ...args.filter((arg) => arg !== '--yes')]);
  return code;
});

/** What cannot be installed fails the tests that need it, each with a message of its own; the others can still run. */
async function installPrograms(yes) {
  const { installPackages, missingPackages } = await import('../libs/testing/dist/servers/packages.js');
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  // Asked before the progress line begins, so that neither writes over the other.
  const agreed = yes || (await askOnTerminal(`Install ${missing.join(', ')} with apt-get?`));
  try {
    await step(`Installing ${missing.join(', ')}`, (progress) =>
      installPackages(missing, { ask: async () => agreed, progress }),
    );
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
}
