import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** What V8 may let pile up before it collects, as a part of what is in use; its own choice is several times that. */
const GROWTH_PERCENT = 25;
/** Of the young generation, both halves; V8 lets it have 32 MiB. */
const YOUNG_BYTES = 4 * 1024 ** 2;

/**
 * A small heap, for all that is imported after this: what a request leaves behind lives for seconds, and is garbage that
 * has grown old. V8 has no option for the size of the young generation that a running process could set, but for
 * how fast it grows: by nothing, when it is large enough.
 */
setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
growYoung(1);
new PerformanceObserver(() => growYoung(youngBytes() < YOUNG_BYTES ? 2 : 1)).observe({ entryTypes: ['gc'] });

function growYoung(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;
}
