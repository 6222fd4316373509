import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { runScript } from './script';

/** A key that one process has at a time. */
export interface Lock {
  /** What the key holds. */
  token: string;
  /** Gives it up. Safe to repeat; leaves the lock of anybody else alone. */
  release(): Promise<void>;
}

export interface LockOptions {
  redis: Redis;
  key: string;
  /** How long the lock outlives a process that is killed, milliseconds. While the process lives it is renewed. */
  ttlMs: number;
  /** How long to wait for the lock of somebody else, milliseconds. */
  waitMs: number;
}

const LOOK_MS = 200;

const extend = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
const give = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** Undefined when somebody else has it for longer than `waitMs`. */
export async function takeLock({ redis, key, ttlMs, waitMs }: LockOptions): Promise<Lock | undefined> {
  const token = randomUUID();
  const deadline = Date.now() + waitMs;
  while ((await redis.set(key, token, 'PX', ttlMs, 'NX')) === null) {
    if (Date.now() > deadline) return undefined;
    await pause(LOOK_MS);
  }
  // It only ever makes a lock last longer that is ours: one that has expired is not taken again unnoticed.
  const renewal = setInterval(() => {
    runScript(redis, extend, [key], [token, String(ttlMs)]).catch(() => {}); // whoever relies on it finds out
  }, ttlMs / 3);
  return {
    token,
    async release() {
      clearInterval(renewal);
      await runScript(redis, give, [key], [token]);
    },
  };
}
