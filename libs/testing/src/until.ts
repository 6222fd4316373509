import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `condition` holds; a condition that throws does not hold yet. @throws after `timeoutMs` (30 s). */
export async function until(condition: () => unknown, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let last: unknown; ;) {
    try {
      if (await condition()) return;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`did not happen within ${timeoutMs} ms: ${String(last ?? condition)}`);
    await pause(50);
  }
}
