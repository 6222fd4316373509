import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The metrics that every worker has; Prometheus conventions, base units, no unbounded labels. */
export function workerMetrics(registry: Registry) {
  const registers = [registry];
  const events = new Counter({
    name: 'weir_worker_events_total',
    help: 'Events by outcome: written to the store, or parked among the dead letters',
    labelNames: ['outcome'],
    registers,
  });
  return {
    written: events.labels('written'),
    parked: events.labels('parked'),
    retries: new Counter({ name: 'weir_worker_retries_total', help: 'Batches that were tried again', registers }),
    batchEvents: new Histogram({
      name: 'weir_worker_batch_events',
      help: 'Events in a batch',
      buckets: [1, 10, 50, 100, 250, 500, 1000, 2500, 5000],
      registers,
    }),
    writeSeconds: new Histogram({
      name: 'weir_worker_write_seconds',
      help: 'Time that the store takes for a batch',
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    lastEvent: new Gauge({
      name: 'weir_worker_last_event_timestamp_seconds',
      help: 'When the last event was written, Unix time',
      registers,
    }),
    lag: new Gauge({
      name: 'weir_worker_lag_seconds',
      help: 'Age of the oldest event of the last batch when it was written',
      registers,
    }),
  };
}
