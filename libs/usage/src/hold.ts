import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { runScript } from './script';
import { holdKey } from './store';

/** The right to look at counters that stand still, and to replace them. */
export interface Hold {
  /** What the key holds; {@link swap} does nothing when it holds something else. */
  token: string;
  /** Lets the workers go on. Safe to repeat; leaves the hold of anybody else alone. */
  release(): Promise<void>;
}

export interface HoldOptions {
  redis: Redis;
  prefix: string;
  /** How long the hold outlives a process that is killed, milliseconds. While the process lives it is renewed. */
  ttlMs?: number;
  /** How long to wait for the hold of somebody else, milliseconds. */
  waitMs?: number;
}

const LOOK_MS = 200;

const extend = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
const give = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/**
 * Stops the counting: from the moment that this resolves until the release no counter changes, and the workers keep
 * their batches. Taken by one at a time.
 *
 * @throws Error when somebody else holds on for longer than `waitMs`
 */
export async function takeHold({ redis, prefix, ttlMs = 30_000, waitMs = 60_000 }: HoldOptions): Promise<Hold> {
  const key = holdKey(prefix);
  const token = randomUUID();
  const deadline = Date.now() + waitMs;
  while ((await redis.set(key, token, 'PX', ttlMs, 'NX')) === null) {
    if (Date.now() > deadline)
      throw new Error(`another \`weir rebuild\` or \`weir verify\` holds the counters (${key})`);
    await pause(LOOK_MS);
  }
  // It only ever makes a hold last longer that is ours: one that has expired is not taken again unnoticed.
  const renewal = setInterval(() => {
    runScript(redis, extend, [key], [token, String(ttlMs)]).catch(() => {}); // the swap will say so
  }, ttlMs / 3);
  return {
    token,
    async release() {
      clearInterval(renewal);
      await runScript(redis, give, [key], [token]);
    },
  };
}
