// A small app for run.test.ts: one variable, and two releases of which the second waits for a line on standard input.
const { integer, runApp, variable } = require('./index');

void runApp(
  {
    name: 'example',
    variables: { LEVEL: variable(integer(1, 9), { description: 'a level' }) },
    start(config, { health, log, onStop }) {
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
