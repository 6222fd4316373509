const DAY_MS = 86_400_000;
/** Days go at midnight by the clock of Redis, which may be ahead of ours. */
const SKEW_MS = 60_000;

/** The first day of those that are still kept, Unix ms. */
export function keptSince(keepDays: number, now: number): number {
  return (Math.floor((now + SKEW_MS) / DAY_MS) - keepDays) * DAY_MS;
}
