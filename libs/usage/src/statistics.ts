import type { Statistic } from './statistic';
import { sources } from './statistics/sources';
import { usageKeys } from './statistics/usage-keys';

/** The statistics that the redis-worker keeps. A new one is a file in `statistics/` and a line here. */
export const statistics: readonly Statistic[] = [usageKeys, sources];
