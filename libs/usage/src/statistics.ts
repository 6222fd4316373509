import type { Statistic } from './statistic';
import { audit } from './statistics/audit';
import { health } from './statistics/health';
import { builds, mirrors, scans } from './statistics/jobs';
import { pulls } from './statistics/pulls';
import { sources } from './statistics/sources';
import { usageKeys } from './statistics/usage-keys';
import { volume } from './statistics/volume';

/** The statistics that the redis-worker keeps. A new one is a file in `statistics/` and a line here. */
export const statistics: readonly Statistic[] = [
  usageKeys,
  sources,
  pulls,
  builds,
  mirrors,
  scans,
  audit,
  volume,
  health,
];
