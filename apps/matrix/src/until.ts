import { setTimeout as pause } from 'node:timers/promises';

/** Calls `attempt` until it resolves. @throws its last error, after the time or as soon as there is no more hope */
export async function until<T>(attempt: () => Promise<T>, timeoutMs: number, hopeless = () => false): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (hopeless() || performance.now() > deadline) throw error;
    }
    await pause(100);
  }
}
