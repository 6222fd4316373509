import { createHealth, readConfig } from '@weir/service';
import { appendFileSync } from 'node:fs';
import pino from 'pino';
import { Registry } from 'prom-client';
import { serve } from '../app';
import { variables } from '../config';

// A process of its own that a test can kill: the service with a publisher that writes each event to a file, as the
// spool would. Its port is the first line that it prints.
const publisher = {
  publish(event: unknown): Promise<void> {
    appendFileSync(process.env['EVENTS_FILE'] ?? '', `${JSON.stringify(event)}\n`);
    return Promise.resolve();
  },
};

void serve(
  readConfig(variables, process.env),
  {
    name: 'build-service',
    version: '0',
    host: '127.0.0.1',
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    health: createHealth(),
    signal: new AbortController().signal,
    onStop: () => {},
  },
  publisher,
).then((port) => process.stdout.write(`${port}\n`));
