import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';

export interface Durability {
  /**
   * Resolves when everything that this Redis has answered so far is in its append-only file (at once where it keeps
   * none).
   *
   * @throws Error when it does not get there in time: the disk is full, or too slow; or when the connection was lost,
   *   for what is behind the next one may be a Redis that has forgotten
   */
  written(): Promise<void>;
}

const LOOK_MS = 5;
const TIMEOUT_MS = 10_000;

/**
 * Redis answers a write that it has not yet written to its file while an fsync is on its way (`appendfsync everysec`
 * puts the write off for up to two seconds): killed then, it forgets what it has answered. So the worker asks, after
 * each batch and before it is acknowledged, whether anything is still waiting to be written (reference reliability
 * F36). With `appendfsync always` nothing ever is.
 *
 * What is in the file survives the end of Redis; that of the machine only after the fsync, which comes within a second.
 *
 * @param connections how many connections there have been
 */
export function createDurability(
  redis: Pick<Redis, 'info'>,
  connections: () => number = () => 1,
  timeoutMs = TIMEOUT_MS,
): Durability {
  let last: Promise<unknown> = Promise.resolve();
  let coming: Promise<string> | undefined;
  /** One question for all who wait, and one at a time; it is asked after all of them have come. */
  const look = (): Promise<string> => {
    coming ??= last.then(() => {
      coming = undefined;
      const answer = redis.info('persistence');
      last = answer.catch(() => {}); // who asked hears of it
      return answer;
    });
    return coming;
  };

  return {
    async written() {
      const connection = connections();
      const deadline = Date.now() + timeoutMs;
      let goal: { base: string; bytes: number } | undefined;
      for (;;) {
        const { buffered, size, base } = fileOf(await look());
        if (connections() !== connection) throw new Error('the connection to Redis was lost before its file had all');
        if (buffered === 0) return;
        // Others go on writing: it is enough that what was waiting at first is there. A rewrite begins a new file,
        // with everything in it.
        goal ??= { base, bytes: size + buffered };
        if (base !== goal.base || size >= goal.bytes) return;
        if (Date.now() > deadline) {
          throw new Error(
            `Redis has not written what it counted to its append-only file for ${timeoutMs / 1000} s: look at its disk`,
          );
        }
        await pause(LOOK_MS);
      }
    },
  };
}

function fileOf(info: string): { buffered: number; size: number; base: string } {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  return {
    buffered: Number(field('aof_buffer_length') ?? 0),
    size: Number(field('aof_current_size') ?? 0),
    base: field('aof_base_size') ?? '',
  };
}
