/** Work that is given up after a time, or all of it at once when the process stops. */
export interface Deadlines {
  /** Runs the work; its signal aborts when the time is over. */
  within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Gives up everything, now and from now on. */
  stop(): void;
  stopped(): boolean;
}

/** A controller for each piece of work: one long-lived signal combined with many would keep all of them. */
export function createDeadlines(timeoutMs: number): Deadlines {
  const running = new Set<AbortController>();
  let stopped = false;
  return {
    async within(work) {
      const controller = new AbortController();
      const late = () => controller.abort(new DOMException(`not done within ${timeoutMs} ms`, 'TimeoutError'));
      const timer = setTimeout(late, timeoutMs);
      running.add(controller);
      if (stopped) controller.abort();
      try {
        return await work(controller.signal);
      } finally {
        clearTimeout(timer);
        running.delete(controller);
      }
    },
    stop() {
      stopped = true;
      for (const controller of running) controller.abort();
    },
    stopped: () => stopped,
  };
}
