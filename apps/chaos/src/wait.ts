import { setTimeout as pause } from 'node:timers/promises';

export { pause };

/** Waits until `condition` holds; one that throws does not hold yet. False when it did not within the time. */
export async function eventually(
  condition: () => unknown,
  { timeoutMs, everyMs = 50 }: { timeoutMs: number; everyMs?: number },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      if (await condition()) return true;
    } catch {
      // not yet
    }
    if (performance.now() > deadline) return false;
    await pause(everyMs);
  }
}
