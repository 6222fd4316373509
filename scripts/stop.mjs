/** `npm stop`: takes down what `npm start` left running, also when its build has been removed since. */
import { build } from './build.mjs';
import { install } from './install.mjs';
import { isBuilt, quickstart } from './quickstart.mjs';
import { command } from './steps.mjs';

export const run = command(async (args) => {
  if (!isBuilt()) {
    await install();
    await build();
  }
  return quickstart('stop', args);
});
