import { Counter, Histogram, type Registry } from 'prom-client';

/** What ingest tells Prometheus. Labels come from the configuration and from fixed lists, never from an event. */
export interface IngestMetrics {
  request(status: number, seconds: number): void;
  events(key: string, result: 'confirmed' | 'spooled' | 'refused' | 'limited' | 'not_taken', count: number): void;
}

export function ingestMetrics(registry: Registry): IngestMetrics {
  const requests = new Counter({
    name: 'weir_ingest_requests_total',
    help: 'Requests to POST /events by HTTP status.',
    labelNames: ['status'],
    registers: [registry],
  });
  const events = new Counter({
    name: 'weir_ingest_events_total',
    help: 'Events posted, by API key and what became of them.',
    labelNames: ['key', 'result'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'weir_ingest_request_duration_seconds',
    help: 'From the head of a request to its answer: reading, checking, and the broker or the disk.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  return {
    request(status, seconds) {
      requests.inc({ status: String(status) });
      duration.observe(seconds);
    },
    events: (key, result, count) => events.inc({ key, result }, count),
  };
}
