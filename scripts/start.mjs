/** `npm start`: installs and builds what is missing, then hands over to apps/quickstart. */
import { build } from './build.mjs';
import { install } from './install.mjs';
import { quickstart } from './quickstart.mjs';
import { command } from './steps.mjs';

export const run = command(async (args) => {
  await install();
  await build();
  return quickstart('start', args);
});
