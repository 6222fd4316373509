import { Counter, Gauge, type Registry } from 'prom-client';

/** What a publisher counts; `depth` is asked when the metrics are read. */
export function publisherMetrics(
  metrics: Registry,
  depth: () => { inFlight: number; spooledEvents: number; spooledBytes: number },
) {
  const events = new Counter({
    name: 'weir_publisher_events_total',
    help: 'Events by where they are safe: confirmed by the broker, spooled to disk, or refused by both',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({ name, help, registers: [metrics], collect() { this.set(read()); } }); // prettier-ignore
  gauge('weir_publisher_in_flight_events', 'Events sent and not yet confirmed', () => depth().inFlight);
  gauge('weir_spool_events', 'Events in the spool', () => depth().spooledEvents);
  gauge('weir_spool_bytes', 'Size of the spool', () => depth().spooledBytes);
  return {
    confirmed: events.labels('confirmed'),
    spooled: events.labels('spooled'),
    refused: events.labels('refused'),
  };
}
