import { amqpUrl, bytes, directory, integer, milliseconds, port, variable } from '@weir/service';
import { z } from 'zod';
import { parseKeys } from './keys';

const MIB = 1024 * 1024;

const keys = z.string().transform((text, context) => {
  const { keys, mistakes } = parseKeys(text);
  for (const message of mistakes) context.addIssue({ code: 'custom', message });
  return mistakes.length > 0 ? z.NEVER : keys;
});

export const variables = {
  INGEST_PORT: variable(port().default(8081), { description: 'Port of POST /events.' }),
  INGEST_KEYS: variable(keys, {
    description:
      'Who may post: a comma list of name:sha256hex[:scope…]. The hash is that of the key. A scope is ingest or ' +
      'source=<prefix>, which limits the sources that the key may speak for; without any, everything is allowed.',
    example: 'billing:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08:ingest:source=/billing/',
    secret: true,
  }),
  INGEST_BODY_BYTES: variable(bytes(1024, 64 * MIB).default(MIB), { description: 'Largest request body, bytes.' }),
  INGEST_MAX_EVENTS: variable(integer(1, 100_000, 'events').default(1000), {
    description: 'Most events in one request.',
  }),
  INGEST_MAX_CONNECTIONS: variable(integer(1, 100_000, 'connections').default(512), {
    description: 'Most connections at one time; with INGEST_BODY_BYTES it bounds the memory that requests can take.',
  }),
  INGEST_REQUEST_TIMEOUT_MS: variable(milliseconds(1000, 600_000).default(30_000), {
    description: 'How long a client may take to send one request, milliseconds.',
  }),
  AMQP_URL: variable(amqpUrl().default('amqp://127.0.0.1:5672'), {
    description: 'The RabbitMQ broker.',
    example: 'amqp://weir:secret@rabbitmq:5672',
    secret: true,
  }),
  SPOOL_DIR: variable(directory(), {
    description: 'Folder for events that the broker has not confirmed; one for each process, on a disk that lasts.',
    example: '/var/lib/weir/ingest',
  }),
  SPOOL_BYTES: variable(bytes(MIB).default(1024 * MIB), {
    description: 'Most bytes that the spool may take; beyond them POST /events answers 503.',
  }),
};
