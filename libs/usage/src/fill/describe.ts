import type { Redis } from 'ioredis';
import { descriptionsKey, type Description } from '../cube/question';
import { KEEP_DAYS, type Cube } from '../statistic';
import { failuresKey } from '../store';

/** What a cube says of itself, for those who ask. */
export function describe(
  cube: Cube,
  how: Pick<Description, 'state' | 'names' | 'failures'> & Partial<Pick<Description, 'since' | 'lastFailure'>>,
): Description {
  const { name, summary, description, measures, dimensions, groups, latest = [], keepDays = KEEP_DAYS } = cube;
  return { name, summary, description, measures, dimensions, groups, latest, keepDays, ...how, names: cube.names ?? how.names }; // prettier-ignore
}

/** What has been written down of a cube; undefined for nothing, and for what is no description. */
export function readDescription(text: string | null | undefined): Description | undefined {
  try {
    const found: unknown = JSON.parse(text ?? 'null');
    return typeof found === 'object' && found !== null && 'name' in found ? (found as Description) : undefined;
  } catch {
    return undefined;
  }
}

/** How often a cube has thrown since this was last told, and what it said then. */
export interface Failures {
  times: number;
  last: string;
}

/** Writes down what there is to be asked, keeping since when and how often it failed. */
export async function writeDescriptions(options: {
  redis: Redis;
  prefix: string;
  live: readonly Cube[];
  missing: readonly Cube[];
  /** How many names a bucket tells apart, where the cube does not say itself. */
  names: number;
  failures: ReadonlyMap<string, Failures>;
  /** Removes what is no more, as one does that starts; what those had counted goes by itself. */
  tidy: boolean;
}): Promise<void> {
  const { redis, prefix, live, missing, names, failures, tidy } = options;
  const key = descriptionsKey(prefix);
  const before = await redis.hgetall(key);
  const failed = await redis.hgetall(failuresKey(prefix));
  const written: string[] = [];
  for (const cube of [...live, ...missing]) {
    const { name } = cube;
    const isLive = live.includes(cube);
    const found = readDescription(before[name]);
    // One that has to be filled has counted nothing yet.
    const since = found || isLive ? found?.since : Date.now();
    const own = failures.get(name);
    const last = own?.last ?? found?.lastFailure;
    const times = own ? await redis.hincrby(failuresKey(prefix), name, own.times) : Number(failed[name] ?? 0);
    const text = JSON.stringify(
      describe(cube, {
        state: isLive ? 'live' : 'filling',
        names,
        failures: times,
        ...(since === undefined ? {} : { since }),
        ...(last === undefined ? {} : { lastFailure: last }),
      }),
    );
    if (text !== before[name]) written.push(name, text);
  }
  if (written.length > 0) await redis.hset(key, ...written);
  const gone = Object.keys(before).filter((name) => ![...live, ...missing].some((cube) => cube.name === name));
  if (!tidy || gone.length === 0) return;
  await redis.hdel(key, ...gone);
  await redis.hdel(failuresKey(prefix), ...gone);
}
