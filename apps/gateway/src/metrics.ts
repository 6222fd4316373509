import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;

/** What the gateway tells of itself, `weir_gateway_*`. No image, client or organization is a label: they are unbounded. */
export function createMetrics(registers: Registry[], state: () => { waiting: number }) {
  const registry = { registers };
  /** `outcome`: `loaded`, or `refused` for mistakes in the file. */
  const reloads = new Counter({
    name: 'weir_gateway_rules_reloads_total',
    help: 'Times that the rules file was read anew, by outcome.',
    labelNames: ['outcome'] as const,
    ...registry,
  });
  for (const outcome of ['loaded', 'refused'] as const) reloads.inc({ outcome }, 0);

  return {
    reloads,
    rulesLoaded: new Gauge({
      name: 'weir_gateway_rules_loaded_timestamp_seconds',
      help: 'When the rules that are served now were loaded, seconds since 1970.',
      ...registry,
    }),
    /** `answer`: how it was answered, `redirect`, `proxy`, `upstream-redirect` or `refuse`. */
    requests: new Counter({
      name: 'weir_gateway_requests_total',
      help: 'Requests of clients, by what was asked for, how it was answered and the class of the status.',
      labelNames: ['route', 'answer', 'status'] as const,
      ...registry,
    }),
    answerSeconds: new Histogram({
      name: 'weir_gateway_answer_seconds',
      help: 'Time until the headers of the answer were sent, seconds.',
      labelNames: ['route'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      ...registry,
    }),
    upstreamErrors: new Counter({
      name: 'weir_gateway_upstream_errors_total',
      help: 'Requests to an upstream that got no answer, by reason.',
      labelNames: ['upstream', 'reason'] as const,
      ...registry,
    }),
    blobBytes: new Counter({
      name: 'weir_gateway_streamed_blob_bytes_total',
      help: 'Bytes of blobs that had to flow through the gateway because neither side could redirect.',
      ...registry,
    }),
    /** `outcome`: `confirmed`, `spooled`, or `failed`, which means that the event is lost. */
    events: new Counter({
      name: 'weir_gateway_events_total',
      help: 'Events published, by type and outcome.',
      labelNames: ['type', 'outcome'] as const,
      ...registry,
    }),
    /** `what`: `manifest`, `configuration` or `redirected`, an answer that the client got elsewhere. */
    unlearned: new Counter({
      name: 'weir_gateway_unlearned_total',
      help: 'Things that could not be learned from an upstream, so that an event lacks a field or is missing.',
      labelNames: ['what'] as const,
      ...registry,
    }),
    waiting: new Gauge({
      name: 'weir_gateway_waiting_answers',
      help: 'Answers whose event has not been handed to the publisher yet.',
      collect() {
        this.set(state().waiting);
      },
      ...registry,
    }),
  };
}
