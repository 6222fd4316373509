import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;

/** What stats tells of itself, `weir_stats_*`. What is asked about is no label: only statistics that are there have names. */
export function createMetrics(registers: Registry[], running: () => number) {
  const registry = { registers };
  new Gauge({
    name: 'weir_stats_running',
    help: 'Questions that are being answered now; at 32 the next one is refused.',
    collect() {
      this.set(running());
    },
    ...registry,
  });
  return {
    /** `route`: `query`, `latest`, `gaps`, `statistics`. */
    answers: new Counter({
      name: 'weir_stats_answers_total',
      help: 'Requests to /v1, by what was asked for and the class of the status; broken-off when an answer was not sent to its end.',
      labelNames: ['route', 'status'] as const,
      ...registry,
    }),
    questions: new Counter({
      name: 'weir_stats_questions_total',
      help: 'Questions that were right, by statistic.',
      labelNames: ['statistic'] as const,
      ...registry,
    }),
    answerSeconds: new Histogram({
      name: 'weir_stats_answer_seconds',
      help: 'Time until an answer was sent to its end, or broke off, seconds.',
      labelNames: ['route'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
      ...registry,
    }),
  };
}
