import { identityKey, limits } from '@weir/events';

/** The time of an event that names none: when it was first seen, the same again for every repetition. */
export type FirstTime = (event: { source: string; id: string }, now: Date) => string;

const UUID_V7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * A client that repeats an event because no answer came must not move it in time: the stores know it by its identity
 * on its own day, in its own millisecond. So the time that was given to an identity is remembered, for the last
 * `remembered` of them; a UUIDv7 carries its own (RFC 9562, 5.7), through restarts and on every instance.
 */
export function createFirstTime(remembered = 100_000): FirstTime {
  const times = new Map<string, string>();
  return (event, now) => {
    const carried = timeOfUuid(event.id, now);
    if (carried !== undefined) return carried;
    const identity = identityKey(event);
    const known = times.get(identity);
    if (known !== undefined) return known;
    const time = now.toISOString();
    times.set(identity, time);
    if (times.size > remembered) times.delete(times.keys().next().value as string); // the one seen longest ago
    return time;
  };
}

function timeOfUuid(id: string, now: Date): string | undefined {
  const match = UUID_V7.exec(id);
  if (!match) return undefined;
  const time = new Date(parseInt(`${match[1]}${match[2]}`, 16));
  const believable = time.getUTCFullYear() >= limits.years.first && time.getTime() <= now.getTime() + limits.aheadMs;
  return believable ? time.toISOString() : undefined;
}
