import { identityOf, utcDay, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { entry } from './entry';
import { seenKey } from './store';

/** Tells the events whose identities the live counters remember from the others; each in their order within a day. */
export async function sortedByLive(
  redis: Redis,
  prefix: string,
  events: readonly WeirEvent[],
): Promise<{ known: WeirEvent[]; unknown: WeirEvent[] }> {
  const byDay = new Map<string, WeirEvent[]>();
  for (const event of events) entry(byDay, utcDay(event), () => []).push(event);
  const sorted = { known: [] as WeirEvent[], unknown: [] as WeirEvent[] };
  for (const [day, own] of byDay) {
    const found = await redis.smismember(seenKey(prefix, day), own.map(identityOf));
    own.forEach((event, at) => (found[at] === 1 ? sorted.known : sorted.unknown).push(event));
  }
  return sorted;
}
