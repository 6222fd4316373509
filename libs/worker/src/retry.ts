import { setTimeout as pause } from 'node:timers/promises';
import { backoff } from '@weir/service';

export const RETRY = { initialMs: 100, maxMs: 5000 };
/** How soon a pause ends when it has become pointless. */
const LOOK_MS = 100;

/**
 * Does the work until it succeeds, with growing pauses of at most 5 s. Gives up, with the last error, once `stopped`
 * says that nobody can use the result any more.
 */
export async function untilDone<T>(
  work: () => Promise<T>,
  { stopped, failed }: { stopped: () => boolean; failed: (reason: string) => void },
): Promise<T> {
  const waiting = backoff(RETRY);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!stopped()) failed((error as Error).message);
      await pauseUnless(stopped, waiting.next());
      if (stopped()) throw error;
    }
  }
}

/** Waits, but not once `stopped` says that there is nothing to wait for. */
export async function pauseUnless(stopped: () => boolean, ms: number): Promise<void> {
  for (let left = ms; left > 0 && !stopped(); left -= LOOK_MS) await pause(Math.min(left, LOOK_MS));
}

/** The outcome of `work`, or a rejection once it has become `hopeless` to wait for it; `work` itself goes on. */
export async function unless<T>(hopeless: () => boolean, work: Promise<T>): Promise<T> {
  const settled = new AbortController();
  const given = async (): Promise<never> => {
    while (!hopeless()) await pause(LOOK_MS, undefined, { signal: settled.signal });
    throw new Error('given up');
  };
  return Promise.race([work, given()]).finally(() => settled.abort());
}

/** Waits for `work`, but no longer than `ms`; whether it fails, or is not done then, is of no interest. */
export async function atMost(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  const late = new AbortController();
  const done = Promise.resolve(work).catch(() => {});
  await Promise.race([done, pause(ms, undefined, { signal: late.signal }).catch(() => {})]);
  late.abort();
}
