import type { WeirEvent } from '@weir/events';
import {
  createCounter,
  isCube,
  learnLive,
  readLive,
  StaleError,
  statistics,
  writeDescriptions,
  type Counted,
  type Counter,
  type CounterOptions,
  type Cube,
  type Failures,
} from '@weir/usage';
import type { Logger } from 'pino';
import type { Cubes } from './cubes';
import type { StatisticMetrics } from './metrics';

/** Counts for the cubes that are on the list of live ones, whatever becomes of the list. */
export interface Counting {
  /** Learns what is to be counted, and writes down what there is to be asked; removes what is no more. */
  begin(): Promise<void>;
  count(batch: readonly WeirEvent[]): Promise<Counted>;
  /** Prepares the batch that {@link count} will be given next. */
  ahead(batch: readonly WeirEvent[]): void;
  /** Notes that a cube threw. */
  failed(cube: Cube, error: Error): void;
  /** Writes down again what there is to be asked, and what has failed since. */
  describe(): Promise<void>;
}

export interface CountingOptions extends Pick<
  CounterOptions,
  'redis' | 'prefix' | 'dedupeSeconds' | 'distinct' | 'storeId'
> {
  cubes: Cubes;
  names: number;
  log: Logger;
  told: StatisticMetrics;
}

/** The list changes when a filling is done: some times in a row at most. */
const TRIES = 5;
const LOG_EVERY_MS = 60_000;

export function createCounting({ cubes, log, told, ...options }: CountingOptions): Counting {
  const { redis, prefix, names } = options;
  const failures = new Map<string, Failures>();
  const logged = new Map<string, number>();
  let counter: Counter | undefined;

  const failed = (cube: Cube, error: Error): void => {
    const { name } = cube;
    told.failures.inc({ statistic: name });
    failures.set(name, { times: (failures.get(name)?.times ?? 0) + 1, last: error.message.slice(0, 200) });
    if (Date.now() - (logged.get(name) ?? 0) < LOG_EVERY_MS) return;
    logged.set(name, Date.now());
    log.warn(
      { statistic: name, reason: error.message },
      'a statistic of STATISTICS_DIR threw: it does not count this event',
    );
  };

  const learn = async (): Promise<Counter> => {
    const live = await learnLive(redis, prefix, cubes.all);
    if (live.dropped.length > 0) {
      log.warn({ statistics: live.dropped }, 'statistics that this worker does not know are counted no more: removed, or of another version');
    }
    told.filling(live.missing);
    return createCounter({
      ...options,
      statistics: statistics.filter((each) => !isCube(each) || live.cubes.includes(each)),
      plugins: { cubes: cubes.plugins.filter((each) => live.cubes.includes(each)), failed },
      live: live.text,
    });
  }; // prettier-ignore

  const describe = async (tidy: boolean): Promise<void> => {
    const told = new Map(failures);
    failures.clear();
    try {
      const { cubes: live, missing } = await readLive(redis, prefix, cubes.all);
      await writeDescriptions({ redis, prefix, live, missing, names, failures: told, tidy });
    } catch (error) {
      for (const [name, { times, last }] of told) {
        const since = failures.get(name);
        failures.set(name, { times: times + (since?.times ?? 0), last: since?.last ?? last });
      }
      throw error;
    }
  };

  return {
    failed,
    async begin() {
      counter = await learn();
      await describe(true);
    },
    describe: () => describe(false),
    ahead: (batch) => counter?.ahead(batch),
    async count(batch) {
      for (let tries = 1; ; tries += 1) {
        counter ??= await learn();
        try {
          return await counter.count(batch);
        } catch (error) {
          if (!(error instanceof StaleError) || tries === TRIES) throw error;
          counter = undefined;
        }
      }
    },
  };
}
