/** `npm start`: installs and builds what is missing, then hands over to apps/quickstart. */
import { join } from 'node:path';
import process from 'node:process';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { command, root, runProgram } from './steps.mjs';

export const run = command(async (args) => {
  await install();
  await build();
  const { code } = await runProgram(process.execPath, [join(root, 'apps/quickstart/dist/main.js'), 'start', ...args]);
  return code;
});
