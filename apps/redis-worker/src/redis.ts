import { integer, redisUrl, text, variable } from '@weir/service';
import { createCounter, statistics } from '@weir/usage';
import type { WorkerDefinition } from '@weir/worker';
import { Counter } from 'prom-client';
import { openConnection } from './connection';

const SECONDS_A_DAY = 86_400;

const variables = {
  REDIS_URL: variable(redisUrl().default('redis://127.0.0.1:6379'), {
    description: 'Redis, user and password included.',
    example: 'redis://:secret@redis:6379',
    secret: true,
  }),
  REDIS_PREFIX: variable(text(64).default(''), {
    description: 'Stands in front of every key; {weir}: with its braces makes a Redis Cluster possible.',
    example: 'prod:',
  }),
  DEDUPE_DAYS: variable(integer(1, 3650, 'days').default(32), {
    description:
      'How many days a counted event is remembered after the last new event of its day; the same event delivered ' +
      'again within that time is not counted again. Each remembered event takes about 72 bytes of Redis memory.',
  }),
};

/** Counts events in Redis under the keys of seed 000, each event once (DESIGN, section 5). */
export const redisWorker: WorkerDefinition<typeof variables> = {
  name: 'redis',
  variables,
  create({ REDIS_URL, REDIS_PREFIX, DEDUPE_DAYS }, { log, metrics }) {
    const connection = openConnection({ url: REDIS_URL, log });
    const counter = createCounter({
      redis: connection.redis,
      statistics,
      prefix: REDIS_PREFIX,
      dedupeSeconds: DEDUPE_DAYS * SECONDS_A_DAY,
    });
    const events = new Counter({
      name: 'weir_usage_events_total',
      help: 'Events that are counted at all, by outcome: counted now, or recognised as a duplicate',
      labelNames: ['outcome'],
      registers: [metrics],
    });

    return {
      connect: connection.ready,
      async write(batch) {
        const { counted, duplicates, refused } = await connection.use(() => counter.count(batch));
        events.inc({ outcome: 'counted' }, counted);
        events.inc({ outcome: 'duplicate' }, duplicates);
        return refused;
      },
      close: connection.close,
    };
  },
};
