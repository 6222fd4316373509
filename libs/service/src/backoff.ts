/** Waiting times between attempts: exponential with full jitter, so that many clients do not come back as one. */
export interface Backoff {
  /** The next waiting time in milliseconds: random in (0, min(max, initial · 2^attempt)], never below a tenth. */
  next(): number;
  /** After a success: the next waiting time is short again. */
  reset(): void;
}

/** With initial 100 and max 5000 the upper bounds are 100, 200, 400, 800, 1600, 3200, 5000, 5000 … ms. */
export function backoff({ initialMs, maxMs }: { initialMs: number; maxMs: number }): Backoff {
  let attempt = 0;
  return {
    next() {
      const bound = Math.min(maxMs, initialMs * 2 ** Math.min(attempt, 30));
      attempt += 1;
      return Math.ceil(bound * (0.1 + 0.9 * Math.random()));
    },
    reset() {
      attempt = 0;
    },
  };
}
