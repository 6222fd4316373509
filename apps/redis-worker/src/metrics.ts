import type { Described } from '@weir/usage';
import { Counter, Gauge, type Registry } from 'prom-client';

/** What the redis-worker tells beside what every worker tells. */
export function usageMetrics(metrics: Registry) {
  const registers = [metrics];
  const events = new Counter({
    name: 'weir_usage_events_total',
    help: 'Events that are counted at all, by outcome: counted now, or recognised as a duplicate',
    labelNames: ['outcome'],
    registers,
  });
  return {
    counted: events.labels('counted'),
    duplicates: events.labels('duplicate'),
    late: new Counter({
      name: 'weir_usage_late_events_total',
      help: 'Events older than the memory of the dedupe: whether they have been counted before may be forgotten',
      registers,
    }),
    dataLost: new Gauge({
      name: 'weir_redis_data_lost',
      help: '1 when Redis came back without its data: nothing is counted until somebody decides',
      registers,
    }),
  };
}

/** What it tells of the statistics that users bring, and of the filling of new ones. */
export function statisticMetrics(metrics: Registry) {
  const registers = [metrics];
  const filling = new Gauge({
    name: 'weir_statistic_filling',
    help: 'A new statistic that is not live yet: messages of the history that it is still to be filled from, 1 at least',
    labelNames: ['statistic'],
    registers,
  });
  const read = new Counter({
    name: 'weir_statistic_filling_events_total',
    help: 'Events of the history that were read to fill new statistics',
    registers,
  });
  return {
    /** These are not live; all others are. */
    filling(missing: readonly Described[]) {
      filling.reset();
      for (const { name } of missing) filling.set({ statistic: name }, 1);
    },
    read(cubes: readonly Described[], events: number, left: number) {
      read.inc(events);
      for (const { name } of cubes) filling.set({ statistic: name }, Math.max(1, left));
    },
    failures: new Counter({
      name: 'weir_statistic_failures_total',
      help: 'Events that a statistic of STATISTICS_DIR threw on: it does not count them, all others do',
      labelNames: ['statistic'],
      registers,
    }),
    mistakes: new Gauge({
      name: 'weir_statistic_mistakes',
      help: 'Mistakes in the files of STATISTICS_DIR: those files are not used',
      registers,
    }),
  };
}

export type StatisticMetrics = ReturnType<typeof statisticMetrics>;
