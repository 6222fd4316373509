import { createHealth, readConfig } from '@weir/service';
import { appendFileSync } from 'node:fs';
import pino from 'pino';
import { Registry } from 'prom-client';
import { serve } from './app';
import { variables } from './config';

// A process of its own that a test can kill: the service with a publisher that writes each event to a file, as the
// spool would. It is told that file and its environment as JSON; its port is the first line that it prints.
const [eventsFile = '', environment] = JSON.parse(process.argv[2] ?? '[]') as [string, NodeJS.ProcessEnv];

const publisher = {
  publish(event: unknown): Promise<void> {
    appendFileSync(eventsFile, `${JSON.stringify(event)}\n`);
    return Promise.resolve();
  },
};

void serve(
  readConfig(variables, environment),
  {
    name: 'build-service',
    version: '0',
    host: '127.0.0.1',
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    health: createHealth(),
    signal: new AbortController().signal,
    onStop: () => {},
    onReload: () => {},
  },
  publisher,
).then((port) => process.stdout.write(`${port}\n`));
