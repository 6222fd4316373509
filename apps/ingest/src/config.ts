import { amqpUrl, bytes, directory, integer, milliseconds, port, text, variable } from '@weir/service';
import { z } from 'zod';
import { parseKeys } from './keys';

const MIB = 1024 * 1024;

const keys = z.string().transform((text, context) => {
  const { keys, mistakes } = parseKeys(text);
  for (const message of mistakes) context.addIssue({ code: 'custom', message });
  return mistakes.length > 0 ? z.NEVER : keys;
});

const file = () => text(4096).refine((value) => !value.includes('\0'), 'must be a path');

export const variables = {
  INGEST_PORT: variable(port().default(8081), { description: 'Port of POST /events.' }),
  INGEST_KEYS: variable(keys, {
    description:
      'Who may post: a comma list of name:sha256hex[:scope…]. The hash is that of the key. Scopes: ingest; ' +
      'source=<prefix>, of the sources that the key may speak for; organization=<name>, of those that its events may ' +
      'count for; until=<YYYY-MM-DD>, its last day; rate=<events a second>; certificate=<DNS name>, which the ' +
      "client's certificate must carry; signed, for a key that is never sent but signs every request (its hash is " +
      'then a secret too). What is not limited is allowed. See docs/security.md.',
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
  INGEST_KEY_EVENTS_PER_SECOND: variable(integer(0, 10_000_000, 'events').default(0), {
    description:
      'Events that one key may send in a second, on average over ten; 0 sets no limit. rate= in INGEST_KEYS is for one key.',
  }),
  INGEST_KEY_SPOOL_PERCENT: variable(integer(1, 100, 'percent').default(50), {
    description:
      'Part of the spool that one of several keys may fill while the broker is away; beyond it that key is answered 429.',
  }),
  INGEST_KEY_ORGANIZATIONS: variable(integer(1, 1_000_000, 'organizations').default(10_000), {
    description:
      'Distinct organizations that one key may send events for within an hour: each costs the stores some keys for ever. Events of further ones are answered 429.',
  }),
  INGEST_TLS_CERT_FILE: variable(file().optional(), {
    description: 'Certificate (chain) of POST /events, PEM; with it the port speaks HTTPS only. Read at start.',
    example: '/etc/weir/tls/ingest.crt',
  }),
  INGEST_TLS_KEY_FILE: variable(file().optional(), { description: 'Private key of INGEST_TLS_CERT_FILE, PEM.' }),
  INGEST_TLS_CLIENT_CA_FILE: variable(file().optional(), {
    description:
      'Certificates (PEM) of who may sign those of clients; with it every client must show one (mutual TLS). A key with certificate=<DNS name> in INGEST_KEYS is bound to one name.',
  }),
  AMQP_URL: variable(amqpUrl().default('amqp://127.0.0.1:5672'), {
    description:
      'RabbitMQ, user and password included; of a cluster several URLs with commas between them, tried in random order.',
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
