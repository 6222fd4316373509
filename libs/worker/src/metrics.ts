import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type WorkerMetrics = ReturnType<typeof workerMetrics>;

/**
 * The metrics that every worker has; Prometheus conventions, base units, no unbounded labels. Canaries are in none of
 * those that count events.
 */
export function workerMetrics(registry: Registry, oldestSeconds: () => number) {
  const registers = [registry];
  const events = new Counter({
    name: 'weir_worker_events_total',
    help: 'Events by outcome: written to the store, or parked among the dead letters',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'weir_worker_oldest_event_seconds',
    help: 'Time since the oldest event arrived that is not yet written, parked and acknowledged; 0 when there is none',
    registers,
    collect() {
      this.set(oldestSeconds());
    },
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
    canaryTimestamp: new Gauge({
      name: 'weir_worker_canary_timestamp_seconds',
      help: 'When a canary of this instance last came back, Unix time; 0 before the first',
      registers,
    }),
    canarySeconds: new Gauge({
      name: 'weir_worker_canary_seconds',
      help: 'How long the last canary took from its sending through the broker, the queue and the store',
      registers,
    }),
    queueMessages: new Gauge({
      name: 'weir_queue_messages',
      help: 'Messages that are ready to be delivered; absent while they cannot be counted',
      labelNames: ['queue'],
      registers,
    }),
    topologyMissing: new Gauge({
      name: 'weir_topology_missing',
      help: 'Whether an exchange, queue or binding (by its queue) has just been found missing',
      labelNames: ['kind', 'name'],
      registers,
    }),
    topologyRepairs: new Counter({
      name: 'weir_topology_repairs_total',
      help: 'Exchanges, queues and bindings that were missing and have been declared again',
      registers,
    }),
  };
}
