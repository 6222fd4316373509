import {
  DEFAULT_NAMES,
  isCube,
  liveText,
  loadStatistics,
  readLive,
  statistics as builtIn,
  storeKey,
  textOf,
  versionOf,
  versionsIn,
  type Cube,
  type Statistic,
} from '@weir/usage';
import { CliError, exitCodes, type Io } from '../io';
import type { UsageStore } from './stores';

/** What the redis-worker counts, as far as it is known here. */
export interface Counted {
  /** What is recounted: those of Weir itself, and of these the cubes that are live. */
  statistics: readonly Statistic[];
  /** Live cubes of STATISTICS_DIR. */
  plugins: readonly Cube[];
  /** All of them: what keys are read by. */
  all: readonly Statistic[];
  /** The list of live cubes as it is, and without those that are not known here. */
  live: { from: string; to: string };
  /** Live cubes that are not known here, or in another version, by name. */
  unknown: readonly string[];
  /** How many names a bucket tells apart. */
  names: number;
}

/** @throws CliError (78) for a STATISTICS_DIR or a STATISTICS_NAMES that cannot be used */
export async function countedStatistics(io: Io, { redis, prefix }: UsageStore): Promise<Counted> {
  const folder = io.env['STATISTICS_DIR'] ?? '';
  const { cubes: own, mistakes } = folder === '' ? { cubes: [], mistakes: [] } : await loadStatistics(folder, builtIn);
  const [wrong] = mistakes;
  if (wrong) throw new CliError(`STATISTICS_DIR: ${textOf(wrong)}`, exitCodes.configuration);
  const cubes = [...builtIn.filter(isCube), ...own];
  const lost = (await redis.exists(storeKey(prefix))) === 0; // then all of them are brought back
  const found = await readLive(redis, prefix, cubes);
  const live = lost ? cubes : found.cubes;
  const to = liveText(live.map(versionOf));
  const known = new Set(versionsIn(to));
  const statistics = builtIn.filter((each) => !isCube(each) || live.includes(each));
  const plugins = own.filter((each) => live.includes(each));
  return {
    statistics,
    plugins,
    all: [...statistics, ...plugins],
    live: { from: found.text, to },
    unknown: versionsIn(found.text).filter((version) => !known.has(version)).map((version) => version.split('@')[0] ?? ''),
    names: namesOf(io),
  };
} // prettier-ignore

/** For people, where something is unknown. */
export function noticeOf(unknown: readonly string[]): string | undefined {
  if (unknown.length === 0) return undefined;
  return `${unknown.join(', ')}: counted by the redis-worker, and not known here in that version; set STATISTICS_DIR as it is set there`;
}

function namesOf(io: Io): number {
  const text = io.env['STATISTICS_NAMES'] || String(DEFAULT_NAMES);
  if (/^[1-9]\d{0,5}$|^1000000$/.test(text)) return Number(text);
  throw new CliError('STATISTICS_NAMES must be a whole number of names, 1 to 1000000', exitCodes.configuration);
}
