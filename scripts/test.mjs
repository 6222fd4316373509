/** `npm test`: installs and builds what is missing, then runs jest; further arguments are jest's own. */
import { join } from 'node:path';
import process from 'node:process';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { command, root, runProgram } from './steps.mjs';

export const run = command(async (args) => {
  await install();
  await build();
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const { code } = await runProgram(process.execPath, [jest, ...args]);
  return code;
});
