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
    /** Of plug-ins only: the label is a name of the configured folder, never one that came with an event. */
    failures: new Counter({
      name: 'weir_statistic_failures_total',
      help: 'Events that a statistic plug-in failed on, and has not counted therefore',
      labelNames: ['statistic'],
      registers,
    }),
    dataLost: new Gauge({
      name: 'weir_redis_data_lost',
      help: '1 when Redis came back without its data: nothing is counted until somebody decides',
      registers,
    }),
  };
}
