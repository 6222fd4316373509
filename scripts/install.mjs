/** Installs the npm packages when they are missing or are not those of package-lock.json. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepError, root, runProgram, step } from './steps.mjs';

/**
 * Installs what package-lock.json says if it has to; a repository that is up to date costs a few milliseconds.
 * It is not `npm ci`, which begins by removing node_modules under everything that runs from it, and which refuses a
 * lock file that lacks a package for a platform that nobody here has. `--no-save` leaves the lock file as it is.
 */
export async function install() {
  if (await installed()) return;
  await step('Installing npm packages', async () => {
    const args = ['install', '--no-save', '--prefer-offline', '--no-audit', '--no-fund'];
    const { code, output } = await runProgram('npm', args, { capture: true });
    if (code !== 0) throw new StepError(`npm install failed (exit code ${code}):\n${output.trimEnd()}`);
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
    if (!path.includes('node_modules/')) return true; // one of our own projects
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
