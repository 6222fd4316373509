import { setTimeout as pause } from 'node:timers/promises';
import { backoff } from '@weir/service';

const RETRY = { initialMs: 100, maxMs: 5000 };

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
      if (stopped()) throw error;
      failed((error as Error).message);
    }
    await pause(waiting.next());
  }
}
