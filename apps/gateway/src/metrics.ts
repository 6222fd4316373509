import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RecorderState } from './count/recorder';
import { createTally } from './tally';

const STATUS_CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx'];

export type Metrics = ReturnType<typeof createMetrics>;

/** What the gateway tells of itself, `weir_gateway_*`. No image, client or organization is a label: they are unbounded. */
export function createMetrics(registers: Registry[], state: () => RecorderState) {
  const registry = { registers };
  /** What is kept for later: each is bounded, and at its bound something is counted less precisely. */
  const kept = (name: string, help: string, of: keyof RecorderState) =>
    new Gauge({
      name,
      help,
      collect() {
        this.set(state()[of]);
      },
      ...registry,
    });
  /** `outcome`: `loaded`, or `refused` for mistakes in the file. */
  const reloads = new Counter({
    name: 'weir_gateway_rules_reloads_total',
    help: 'Times that the rules file was read anew, by outcome.',
    labelNames: ['outcome'] as const,
    ...registry,
  });
  for (const outcome of ['loaded', 'refused'] as const) reloads.inc({ outcome }, 0);

  const published = createTally();
  /** `outcome`: `confirmed`, `spooled`, or `failed`, which means that the event is lost. */
  const events = new Counter({
    name: 'weir_gateway_events_total',
    help: 'Events published, by type and outcome.',
    labelNames: ['type', 'outcome'] as const,
    collect() {
      published.take((count, type, outcome) => this.inc({ type, outcome }, count));
    },
    ...registry,
  });
  // A loss is seen as one from the first: a series that begins at 1 has not increased.
  for (const kind of ['pull', 'check', 'referrer', 'download'])
    events.inc({ type: `io.weir.${kind}`, outcome: 'failed' }, 0);

  const requests = createTally();
  /** `answer`: how it was answered, `redirect`, `proxy`, `upstream-redirect` or `refuse`. */
  new Counter({
    name: 'weir_gateway_requests_total',
    help: 'Requests of clients, by what was asked for, how it was answered and the class of the status.',
    labelNames: ['route', 'answer', 'status'] as const,
    collect() {
      requests.take((count, route, answer, status) => this.inc({ route, answer, status }, count));
    },
    ...registry,
  });
  /** By what was asked for: a child that is looked up for each answer costs more than the rest of it. */
  const secondsOf = new Map<string, { observe(seconds: number): void }>();
  const answerSeconds = new Histogram({
    name: 'weir_gateway_answer_seconds',
    help: 'Time until an answer was sent to its end, or broke off, seconds.',
    labelNames: ['route'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    ...registry,
  });

  return {
    /** A request for this was answered so. */
    answered(route: string, answer: string, status: number, seconds: number): void {
      requests.add(route, answer, STATUS_CLASSES[Math.floor(status / 100)]);
      let ofRoute = secondsOf.get(route);
      if (ofRoute === undefined) secondsOf.set(route, (ofRoute = answerSeconds.labels(route)));
      ofRoute.observe(seconds);
    },
    /** What has become of an event. */
    announced: (type: string, outcome: string): void => published.add(type, outcome),
    reloads,
    rulesLoaded: new Gauge({
      name: 'weir_gateway_rules_loaded_timestamp_seconds',
      help: 'When the rules that are served now were loaded, seconds since 1970.',
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
    /** `what`: `manifest`, `configuration` or `redirected`, an answer that the client got elsewhere. */
    unlearned: new Counter({
      name: 'weir_gateway_unlearned_total',
      help: 'Things that could not be learned from an upstream, so that an event lacks a field or is missing.',
      labelNames: ['what'] as const,
      ...registry,
    }),
    /** `way`: `organizations`, `jwt`, `introspection`, `memory`, or `none` that fits; `outcome`: see identity/verdict.ts. */
    identityQuestions: new Counter({
      name: 'weir_gateway_identity_questions_total',
      help: 'Questions whose credentials a request carries, by the way of verifying and what became of it.',
      labelNames: ['way', 'outcome'] as const,
      ...registry,
    }),
    unsharedSecrets: new Gauge({
      name: 'weir_gateway_unshared_secrets',
      help: 'Secrets for pseudonyms that are used by this gateway alone because Redis is away; 0 without REDIS_URL.',
      ...registry,
    }),
    /** `outcome`: `found`, `unknown`, `unusable` (not what a gateway writes) or `unanswered`. */
    sharedLookups: new Counter({
      name: 'weir_gateway_shared_lookups_total',
      help: 'Questions to the Redis that gateways share, what a digest stands for, by outcome.',
      labelNames: ['outcome'] as const,
      ...registry,
    }),
    repeated: new Counter({
      name: 'weir_gateway_repeated_pulls_total',
      help: 'Answers with an image that repeat a pull of the same client within seconds, so that they are not counted.',
      ...registry,
    }),
    answers: kept(
      'weir_gateway_waiting_answers',
      'Answers whose event has not been handed to the publisher yet.',
      'answers',
    ),
    visits: kept('weir_gateway_open_visits', 'Visits of clients to a repository that may go on.', 'visits'),
    checks: kept('weir_gateway_waiting_checks', 'HEADs that may still become the first step of a pull.', 'checks'),
    downloads: kept('weir_gateway_open_downloads', 'Pulls whose layers may still be fetched.', 'downloads'),
  };
}
