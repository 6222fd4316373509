import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Of the young generation, both halves; V8 lets it have 32 MiB. */
const YOUNG_BYTES = 4 * 1024 ** 2;

/**
 * Keeps the young generation of V8's heap small. V8 has no option for its size that a running process could set, but one for
 * how fast it grows: by nothing, when it is large enough.
 */
export function keepYoungSmall(): void {
  growYoung(1);
  new PerformanceObserver(() => growYoung(youngBytes() < YOUNG_BYTES ? 2 : 1)).observe({ entryTypes: ['gc'] });
}

function growYoung(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;
}
