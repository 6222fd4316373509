// A small app for run.test.ts: one variable that must not be 9, and two releases of which the second waits for a line on standard input.
const { ConfigError, integer, runApp, variable } = require('./index');

void runApp(
  {
    name: 'example',
    variables: { LEVEL: variable(integer(1, 9), { description: 'a level' }) },
    check({ LEVEL }) {
      if (LEVEL === 9) throw new ConfigError([{ variable: 'LEVEL', message: 'is too high today' }]);
    },
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
