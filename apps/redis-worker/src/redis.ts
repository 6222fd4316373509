import { integer, redisUrl, text, variable } from '@weir/service';
import { createCounter, createFlowRecorder, createStoreId, DataLostError, DEFAULT_NAMES, statistics } from '@weir/usage';
import type { Worker, WorkerDefinition } from '@weir/worker';
import { openConnection } from './connection';
import { createDurability } from './durable';
import { usageMetrics } from './metrics';

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
  UNIQUES_DAYS: variable(integer(1, 3650, 'days').default(400), {
    description:
      'How many days distinct sources are kept after their own day; of days that begin after it was changed. Set it ' +
      'for stats too.',
  }),
  UNIQUES_NAMES: variable(integer(1, 1_000_000, 'names').default(1000), {
    description:
      'Of how many repositories, and of how many organizations, distinct sources are kept for each day, first come, ' +
      'first served; the others are in the total and counted as left out. Each takes two HyperLogLogs: 0.4 KB for a ' +
      'few sources, 28 KB for thousands.',
  }),
  STATISTICS_NAMES: variable(integer(1, 1_000_000, 'names').default(DEFAULT_NAMES), {
    description:
      'How many values of a dimension (repositories, or pairs of organization and repository) each statistic tells ' +
      'apart in one hour or day, first come, first served; the others are one number, `other`. For statistics that do ' +
      'not say it themselves. Each takes about 100 bytes for the hour and as much for the day.',
  }),
};

/**
 * Counts events in Redis under the keys of seed 000 and in cubes, each event once (DESIGN, section 5).
 *
 * A batch is done when Redis has it in its append-only file. A Redis that comes back without its data is counted into
 * no more (reference reliability F37): the worker is not ready, `weir_redis_data_lost` is 1, and somebody has to decide.
 */
export const redisWorker: WorkerDefinition<typeof variables> = {
  name: 'redis',
  variables,
  create(config, { log, metrics }) {
    const { REDIS_URL, REDIS_PREFIX, DEDUPE_DAYS, UNIQUES_DAYS, UNIQUES_NAMES, STATISTICS_NAMES } = config;
    const connection = openConnection({ url: REDIS_URL, log });
    const { redis } = connection;
    const dedupeSeconds = DEDUPE_DAYS * SECONDS_A_DAY;
    const store = createStoreId({ redis, prefix: REDIS_PREFIX });
    const counter = createCounter({
      redis,
      statistics,
      prefix: REDIS_PREFIX,
      dedupeSeconds,
      names: STATISTICS_NAMES,
      distinct: { keepDays: UNIQUES_DAYS, namesADay: UNIQUES_NAMES },
      storeId: store.value,
    });
    const flow = createFlowRecorder({ redis, prefix: REDIS_PREFIX });
    const durability = createDurability(redis);
    const told = usageMetrics(metrics);

    /** Does something with the Redis that this worker began with, and with no other. */
    const use = <T>(work: () => Promise<T>): Promise<T> =>
      connection.use(async () => {
        try {
          await store.learn();
          const done = await work();
          told.dataLost.set(0);
          return done;
        } catch (error) {
          if (error instanceof DataLostError) told.dataLost.set(1);
          throw error;
        }
      });

    const worker: Worker & { probe(): Promise<void>; flowed(at: number): Promise<void> } = {
      connect: () => use(store.check),
      async write(batch) {
        const { counted, duplicates, refused } = await use(async () => {
          await flow.reported(batch);
          const done = await counter.count(batch).catch(async (error: unknown) => {
            if (!(error instanceof DataLostError)) throw error;
            await store.check(); // rebuilt since, it is as good as the old one
            return counter.count(batch);
          });
          await durability.written();
          return done;
        });
        told.counted.inc(counted);
        told.duplicates.inc(duplicates);
        const forgotten = new Date(Date.now() - dedupeSeconds * 1000).toISOString();
        told.late.inc(batch.filter(({ time }) => time < forgotten).length);
        return refused;
      },
      probe: () => use(store.check),
      flowed: (at) => connection.use(() => flow.worked(at)),
      close: connection.close,
    };
    return worker;
  },
};
