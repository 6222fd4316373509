/** `npm stop`: takes down what `npm start -- --detach` left running. */
import { join } from 'node:path';
import process from 'node:process';
import { command, root, runProgram } from './steps.mjs';

export const run = command(async (args) => {
  const { code } = await runProgram(process.execPath, [join(root, 'apps/quickstart/dist/main.js'), 'stop', ...args]);
  return code;
});
