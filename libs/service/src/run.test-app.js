// A small app for run.test.ts: one variable, and two releases of which the second waits for a line on standard input.
const { integer, runApp, variable } = require('./index');

void runApp(
  {
    name: 'example',
    variables: { LEVEL: variable(integer(1, 9), { description: 'a level' }) },
    start(config, { health, log, onReload, onStop }) {
      onReload('first', () => log.info('reloading'));
      onReload('second', () => Promise.reject(new Error('no such thing')));
      health.check('level', () => config.LEVEL === 3);
      onStop('first', () => log.info('releasing first'));
      onStop('second', () => {
        log.info('releasing second');
        return new Promise((resolve) => process.stdin.once('data', resolve));
      });
    },
  },
  process,
);
