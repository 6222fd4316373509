import { takeLock, type Lock, type LockOptions } from './lock';
import { holdKey } from './store';

/** The right to look at counters that stand still, and to replace them: {@link swap} does nothing without it. */
export type Hold = Lock;

export interface HoldOptions extends Pick<LockOptions, 'redis'>, Partial<Pick<LockOptions, 'ttlMs' | 'waitMs'>> {
  prefix: string;
}

/**
 * Stops the counting: from the moment that this resolves until the release no counter changes, and the workers keep
 * their batches. Taken by one at a time.
 *
 * @throws Error when somebody else holds on for longer than `waitMs`
 */
export async function takeHold({ redis, prefix, ttlMs = 30_000, waitMs = 60_000 }: HoldOptions): Promise<Hold> {
  const key = holdKey(prefix);
  const hold = await takeLock({ redis, key, ttlMs, waitMs });
  if (hold) return hold;
  throw new Error(`another \`weir rebuild\` or \`weir verify\`, or a filling, holds the counters (${key})`);
}
