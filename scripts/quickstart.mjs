/** Runs apps/quickstart, and leaves signals to it: it ends everything in order, and this process waits for that. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './steps.mjs';

const main = join(root, 'apps/quickstart/dist/main.js');

/** Whether it has been built. */
export function isBuilt() {
  return existsSync(main);
}

/** Runs one of its commands on this terminal; resolves with the exit code. */
export function quickstart(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, command, ...args], { cwd: root, stdio: 'inherit' });
    // Ctrl-C on a terminal reaches the child by itself as well; it takes the two for one.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
