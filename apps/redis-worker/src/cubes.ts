import { isCube, loadStatistics, statistics, textOf, type Cube } from '@weir/usage';
import type { Logger } from 'pino';
import type { StatisticMetrics } from './metrics';

/** The cubes that this worker knows. */
export interface Cubes {
  builtIn: readonly Cube[];
  /** Those of STATISTICS_DIR. */
  plugins: readonly Cube[];
  all: readonly Cube[];
  /** What is wrong with files of STATISTICS_DIR, for people. */
  mistakes: readonly string[];
}

/** Loads the users' statistics. A file that is wrong is told of, and the worker goes on without it. */
export async function loadCubes(
  folder: string,
  { log, told }: { log: Logger; told: StatisticMetrics },
): Promise<Cubes> {
  const builtIn = statistics.filter(isCube);
  const { cubes: plugins, mistakes } =
    folder === '' ? { cubes: [], mistakes: [] } : await loadStatistics(folder, statistics);
  for (const each of mistakes) log.error({ ...each, folder }, `STATISTICS_DIR: ${textOf(each)}`);
  if (plugins.length > 0) log.info({ statistics: plugins.map(({ name }) => name), folder }, 'statistics loaded');
  told.mistakes.set(mistakes.length);
  return { builtIn, plugins, all: [...builtIn, ...plugins], mistakes: mistakes.map(textOf) };
}
