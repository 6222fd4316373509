import { limits } from '@weir/events';
import type { History } from './history';

/** How far back the history goes. */
export interface Reach {
  /** Nothing has ever been cut off. */
  complete: boolean;
  /** Whether everything of this UTC day is there that has ever arrived: something older than it is still there. */
  covers(day: string): boolean;
}

/** Finds out which of these days the history covers. */
export async function findReach(
  history: Pick<History, 'firstOffset' | 'reachesBackTo'>,
  days: readonly string[],
): Promise<Reach> {
  const complete = (await history.firstOffset()) === 0;
  const sorted = [...days].sort();
  // A day is covered when an earlier one is: the first that is covered lies between these two.
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (await history.reachesBackTo(earliestArrival(sorted[middle] as string))) to = middle;
    else from = middle + 1;
  }
  const first = sorted[from];
  return { complete, covers: (day) => first !== undefined && day >= first };
}

/** An event of this time or day, or of a later one, cannot have arrived before: the edge takes none further ahead. */
export function earliestArrival(time: string): Date {
  return new Date(Date.parse(time.length === 10 ? `${time}T00:00:00.000Z` : time) - limits.aheadMs);
}
