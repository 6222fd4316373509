import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { explainTls } from '@weir/service';
import { openRedis } from '../redis';

/** Secrets that all gateways of one Redis have in common. */
export interface SharedSecrets {
  /**
   * The secret of a period: the one that a gateway has put there first, else `mine`. It is the caller's own copy, to be
   * destroyed by it. Redis forgets it at `until` (milliseconds since 1970).
   *
   * @throws Error when Redis does not say within a second.
   */
  agree(period: string, mine: Buffer, until: number): Promise<Buffer>;
  close(): void;
}

const KEY = 'weir:gateway:secret:';
const TIMEOUT_MS = 1_000;

/** The user needs `+set +get` on `weir:gateway:secret:*`; Redis 6.2 or newer. */
export async function openSharedSecrets(url: string): Promise<SharedSecrets> {
  const where = `Redis at ${new URL(url).host}`;
  let reason = 'not connected yet';
  const redis = await openRedis(url, TIMEOUT_MS);
  redis.on('error', (error: Error) => (reason = explainTls(error) ?? error.message));

  async function ask(key: string, mine: Buffer, until: number, signal: AbortSignal): Promise<Buffer> {
    if (redis.status !== 'ready') await once(redis, 'ready', { signal });
    const sent = Buffer.from(mine);
    try {
      await redis.set(key, sent, 'EXAT', Math.ceil(until / 1000), 'NX');
    } finally {
      sent.fill(0);
    }
    const there = await redis.getBuffer(key);
    if (there?.length !== mine.length) throw new Error(`${key} is no secret of ${mine.length} bytes`);
    const agreed = Buffer.from(there);
    there.fill(0);
    if (signal.aborted) agreed.fill(0); // nobody waits for it any more
    return agreed;
  }

  return {
    async agree(period, mine, until) {
      const controller = new AbortController();
      const { signal } = controller;
      const late = pause(TIMEOUT_MS, undefined, { signal }).then(() => {
        throw new Error(`no answer within ${TIMEOUT_MS} ms (${reason})`);
      });
      try {
        return await Promise.race([ask(`${KEY}${period}`, mine, until, signal), late]);
      } catch (error) {
        const { message } = error as Error;
        throw new Error(
          `${where}: ${/^(Connection is closed|Stream isn't writeable)/.test(message) ? reason : message}`,
        );
      } finally {
        controller.abort();
      }
    },
    close: () => redis.disconnect(),
  };
}
