import { Counter, Gauge, type Registry } from 'prom-client';

export interface PublisherDepth {
  /** Events sent and not yet confirmed. */
  inFlight: number;
  spooledEvents: number;
  /** All that counts against the spool's quota. */
  spooledBytes: number;
}

/** What a publisher tells of itself when its metrics are read. */
export interface PublisherState extends PublisherDepth {
  /** Age of the oldest segment in the spool, seconds; 0 when it holds no event. */
  oldestSpooledSeconds: number;
  /** False while the spool is not open: what is in it is then unknown, which is not 0. */
  spoolIsOpen: boolean;
}

const OUTCOMES = ['confirmed', 'spooled', 'refused'] as const;

export function publisherMetrics(metrics: Registry, quotaBytes: number, state: () => PublisherState) {
  const registers = [metrics];
  const events = new Counter({
    name: 'weir_publisher_events_total',
    help: 'Events by where they are safe: confirmed by the broker, spooled to disk, or refused by both',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of OUTCOMES) events.inc({ outcome }, 0); // so that the first one is seen as an increase
  const damaged = new Counter({
    name: 'weir_spool_damaged_total',
    help: 'Places in the spool that hold no sound record: damaged, or the torn end that a crash leaves',
    registers,
  });
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  const ofSpool = (read: (now: PublisherState) => number) => () => (state().spoolIsOpen ? read(state()) : undefined);
  gauge('weir_publisher_in_flight_events', 'Events sent and not yet confirmed', () => state().inFlight);
  gauge('weir_spool_quota_bytes', 'What the spool may take of the disk', () => quotaBytes);
  gauge(
    'weir_spool_events',
    'Events in the spool; missing while it is not open',
    ofSpool(({ spooledEvents }) => spooledEvents),
  );
  gauge(
    'weir_spool_bytes',
    'What the spool takes of its quota',
    ofSpool(({ spooledBytes }) => spooledBytes),
  );
  gauge(
    'weir_spool_oldest_seconds',
    'Age of the oldest events in the spool, by when their segment was begun; 0 when there are none',
    ofSpool(({ oldestSpooledSeconds }) => oldestSpooledSeconds),
  );
  return {
    confirmed: events.labels('confirmed'),
    spooled: events.labels('spooled'),
    refused: events.labels('refused'),
    damaged,
  };
}
