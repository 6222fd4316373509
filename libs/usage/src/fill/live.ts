import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { runScript } from '../script';
import type { Cube } from '../statistic';
import { liveKey } from '../store';

/**
 * Which cubes are counted is written down in Redis, as one text that the counting script compares with every batch. So
 * each event is counted for exactly those that were on the list at that moment, by all workers alike, and a cube whose
 * filling is done joins the list between two batches. A cube is on it only when its numbers are whole.
 */
export interface Live {
  /** The list as it stands in Redis. */
  text: string;
  /** Those of the cubes that are on it. */
  cubes: readonly Cube[];
  /** Those that are not: they have to be filled first. */
  missing: readonly Cube[];
  /** What was taken off it, because nobody here can count it: removed, or changed since. */
  dropped: readonly string[];
}

/** A cube in one version of it: `pulls@3f2a91c04d5e`. One that counts in another way is another one. */
export function versionOf({ name, version, measures, dimensions, groups, latest = [] }: Cube): string {
  const shape = [version, Object.keys(measures).sort(), Object.keys(dimensions).sort(), groups, latest];
  return `${name}@${createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 12)}`;
}

export const liveText = (versions: Iterable<string>): string => [...new Set(versions)].sort().join(' ');
export const versionsIn = (text: string): string[] => text.split(' ').filter((version) => version !== '');

/** The list with these cubes on it, in the place of any other versions of them. */
export function liveWith(text: string, cubes: readonly Cube[]): string {
  const names = new Set(cubes.map(({ name }) => name));
  const others = versionsIn(text).filter((version) => !names.has(version.slice(0, version.indexOf('@'))));
  return liveText([...others, ...cubes.map(versionOf)]);
}

/** Those of the cubes that are on the list. */
export async function readLive(redis: Redis, prefix: string, cubes: readonly Cube[]): Promise<Omit<Live, 'dropped'>> {
  const text = (await redis.get(liveKey(prefix))) ?? '';
  const listed = new Set(versionsIn(text));
  const isLive = (cube: Cube) => listed.has(versionOf(cube));
  return { text, cubes: cubes.filter(isLive), missing: cubes.filter((cube) => !isLive(cube)) };
}

/**
 * What a worker with these cubes is to count. It takes off what it does not know, before it counts anything: events that
 * it counts would be missing there. Who knows it fills it again.
 */
export async function learnLive(redis: Redis, prefix: string, cubes: readonly Cube[]): Promise<Live> {
  const known = new Set(cubes.map(versionOf));
  const dropped: string[] = [];
  for (;;) {
    const live = await readLive(redis, prefix, cubes);
    const strange = versionsIn(live.text).filter((version) => !known.has(version));
    if (strange.length === 0) return { ...live, dropped };
    const rest = liveText(versionsIn(live.text).filter((version) => known.has(version)));
    if ((await runScript(redis, replace, [liveKey(prefix)], [live.text, rest])) === 1) dropped.push(...strange);
  }
}

const replace = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`;
