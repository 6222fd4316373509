/**
 * How an app's process begins in the quick start: it loads the packages that the app stands on while the servers still
 * start, which takes about as long, and runs the app once it is told its environment. If whoever started it goes away
 * before that, so does it.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const [file = ''] = process.argv.slice(2);
const load = createRequire(file);

process.once('message', (environment: Record<string, string>) => {
  process.disconnect();
  Object.assign(process.env, environment);
  process.argv.splice(1, 2, file);
  load(file);
});

for (const name of packagesOf(file)) {
  try {
    load(name);
  } catch {
    // Whatever is wrong with it, the app itself says it better.
  }
}

process.send?.('loaded');

/** The dependencies in the package.json of the app whose compiled main this is (`<app>/dist/main.js`). */
function packagesOf(main: string): string[] {
  try {
    const { dependencies = {} } = load(join(dirname(main), '../package.json')) as { dependencies?: object };
    return Object.keys(dependencies);
  } catch {
    return [];
  }
}
