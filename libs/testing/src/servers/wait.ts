import { setTimeout as delay } from 'node:timers/promises';

/**
 * Calls `attempt` until it resolves, with a pause in between; after `timeoutMs` throws its last error, named by `what`.
 * `giveUp` ends the wait early, for example because the process that should answer has ended.
 */
export async function until<T>(
  what: string,
  attempt: () => Promise<T> | T,
  options: { timeoutMs: number; everyMs?: number; giveUp?: () => string | undefined },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const reason = options.giveUp?.();
      if (reason !== undefined) throw new Error(`${what}: ${reason}`, { cause: error });
      if (Date.now() >= deadline) {
        const last = error instanceof Error ? error.message : String(error);
        throw new Error(`${what}: not within ${options.timeoutMs / 1000} s (${last})`, { cause: error });
      }
    }
    await delay(options.everyMs ?? 50);
  }
}

/** Ends a promise that does not settle in time; what it was waiting for goes on unseen. */
export async function within<T>(timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
