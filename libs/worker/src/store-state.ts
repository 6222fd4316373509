import type { Logger } from 'pino';
import type { WorkerMetrics } from './metrics';

/** What is known of the store from the last time that it was used. */
export interface StoreState {
  state(): true | string;
  works(): void;
  /** To be told why a try failed; said in the log once for each new reason. */
  failed(what: string): (reason: string) => void;
}

export function createStoreState(log: Logger, counted: WorkerMetrics): StoreState {
  let state: true | string = 'not connected yet';
  return {
    state: () => state,
    works: () => void (state = true),
    failed: (what) => (reason) => {
      if (reason !== state) log.warn({ reason }, what);
      state = reason;
      counted.retries.inc();
    },
  };
}
