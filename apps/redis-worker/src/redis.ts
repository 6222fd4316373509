import { setTimeout as pause } from 'node:timers/promises';
import { directory, integer, redisUrl, text, variable } from '@weir/service';
import { createFlowRecorder, createStoreId, DataLostError, DEFAULT_NAMES, liveText, versionOf } from '@weir/usage';
import type { Worker, WorkerDefinition } from '@weir/worker';
import { openConnection } from './connection';
import { createCounting, type Counting } from './counting';
import { loadCubes, type Cubes } from './cubes';
import { createDurability } from './durable';
import { keepFilled } from './filling';
import { statisticMetrics, usageMetrics } from './metrics';

const SECONDS_A_DAY = 86_400;
const DESCRIBE_MS = 10_000;
/**
 * Of a long queue: what a batch costs beside its events is spread over as many, and its script still takes milliseconds.
 * Counters are looked at while they grow: so half the age of other batches, for half the wait of a quiet hour's events.
 */
const BATCH = { maxEvents: 1500, maxAgeMs: 5 };

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
  STATISTICS_DIR: variable(directory().default(''), {
    description:
      'Folder with statistics of your own, one or several in each .js, .mjs or .cjs file, loaded at the start ' +
      '(docs/adding-a-statistic.md). Their code runs in the worker: whoever may write there can do all that it can. ' +
      'Set it for `weir rebuild` and `weir verify` too. Empty: none.',
    example: '/etc/weir/statistics',
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
  batch: BATCH,
  create(config, { log, metrics }) {
    const { REDIS_URL, REDIS_PREFIX: prefix, DEDUPE_DAYS, UNIQUES_DAYS, UNIQUES_NAMES } = config;
    const connection = openConnection({ url: REDIS_URL, log });
    const { redis } = connection;
    const dedupeSeconds = DEDUPE_DAYS * SECONDS_A_DAY;
    const store = createStoreId({ redis, prefix });
    const flow = createFlowRecorder({ redis, prefix });
    const durability = createDurability(redis, connection.made);
    const told = { ...usageMetrics(metrics), statistics: statisticMetrics(metrics) };
    const names = config.STATISTICS_NAMES;
    let cubes: Cubes | undefined;
    let live = '';
    let counting: Counting | undefined;
    let inFile: Promise<void> = Promise.resolve();

    /** The statistics are loaded once: other ones come with a restart. */
    const load = async (): Promise<{ cubes: Cubes; counting: Counting }> => {
      cubes ??= await loadCubes(config.STATISTICS_DIR, { log, told: told.statistics });
      live ||= liveText(cubes.all.map(versionOf));
      counting ??= createCounting({
        redis, prefix, dedupeSeconds, cubes, names, log, told: told.statistics, storeId: store.value,
        distinct: { keepDays: UNIQUES_DAYS, namesADay: UNIQUES_NAMES },
      }); // prettier-ignore
      return { cubes, counting };
    };

    /** Does something with the Redis that this worker began with, and with no other. */
    const use = <T>(work: (counting: Counting) => Promise<T>): Promise<T> =>
      connection.use(async () => {
        try {
          const loaded = await load();
          await store.learn(live);
          const done = await work(loaded.counting);
          told.dataLost.set(0);
          return done;
        } catch (error) {
          if (error instanceof DataLostError) told.dataLost.set(1);
          throw error;
        }
      });

    const worker: Worker & { durable(): Promise<void>; probe(): Promise<void>; flowed(at: number): Promise<void> } = {
      connect: () =>
        use(async (counting) => {
          await store.check();
          await counting.begin();
        }),
      ahead: (batch) => counting?.ahead(batch),
      async write(batch) {
        const { counted, duplicates, refused } = await use(async (counting) => {
          await flow.reported(batch);
          const done = await counting.count(batch).catch(async (error: unknown) => {
            if (!(error instanceof DataLostError)) throw error;
            await store.check(); // rebuilt since, it is as good as the old one
            return counting.count(batch);
          });
          // Begun on the connection that has counted.
          inFile = durability.written().catch((error: unknown) => Promise.reject(connection.explained(error)));
          inFile.catch(() => {}); // who waits for it hears of it
          return done;
        });
        told.counted.inc(counted);
        told.duplicates.inc(duplicates);
        const forgotten = new Date(Date.now() - dedupeSeconds * 1000).toISOString();
        told.late.inc(batch.filter(({ time }) => time < forgotten).length);
        return refused;
      },
      durable: () => inFile,
      probe: () => use(store.check),
      flowed: (at) => connection.use(() => flow.worked(at)),
      async beside({ amqpUrl, health, signal }) {
        const loaded = await load();
        const { all, mistakes } = loaded.cubes;
        health.tell('statistics', () => mistakes.length === 0 || mistakes.join('; ').slice(0, 1000));
        const own = openConnection({ url: REDIS_URL, log });
        const describing = every(DESCRIBE_MS, signal, () => use((counting) => counting.describe()));
        await keepFilled({
          amqpUrl, connection: own, prefix, all, names, dedupeSeconds, signal, log,
          storeId: store.value, failed: loaded.counting.failed, told: told.statistics,
        }); // prettier-ignore
        await Promise.all([own.close(), describing]);
      },
      close: connection.close,
    };
    return worker;
  },
};

/** Again and again until the signal; what fails is done the next time. */
async function every(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await pause(ms, undefined, { signal }).catch(() => {});
    if (!signal.aborted) await work().catch(() => {});
  }
}
