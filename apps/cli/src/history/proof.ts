import { earliestArrival, type Reach } from '@weir/bus';
import type { DayFound } from '@weir/usage';

/** Days that can be recounted exactly, and those that cannot. */
export interface Judgement {
  exact: DayFound[];
  rest: Unproven[];
  /** Days of which the history has only the end, and nothing is live: better than nothing. */
  partial: string[];
}

export interface Unproven {
  found: DayFound;
  why: string;
  /** The history should have everything of the day, and yet more was counted: what was counted too much is unknown. */
  unknown: boolean;
}

/**
 * Decides for every day whether the history has everything that has been counted of it. It has
 *
 * - when it knows every identity that the live counters remember of the day, and that memory is whole: either because
 *   none of it can have been forgotten yet, or because the history itself covers the day;
 * - when nothing of the day is live: then there is nothing to lose.
 */
export function judge(days: readonly DayFound[], reach: Reach, dedupeSeconds: number, now = new Date()): Judgement {
  const judgement: Judgement = { exact: [], rest: [], partial: [] };
  for (const found of days) {
    const { day, live, counted, common } = found;
    const covered = reach.covers(day);
    const remembered = now.getTime() - earliestArrival(day).getTime() < dedupeSeconds * 1000;
    const whole = covered || (remembered && (counted > 0 || reach.complete));
    if (common < counted) {
      const why = `the history lacks ${counted - common} of the ${counted} events that were counted`;
      judgement.rest.push({ found, why, unknown: covered || reach.complete });
    } else if (live && !whole) {
      const why = 'the history begins after it, and its events are no longer remembered one by one';
      judgement.rest.push({ found, why, unknown: false });
    } else {
      judgement.exact.push(found);
      if (!live && !covered && !reach.complete) judgement.partial.push(day);
    }
  }
  return judgement;
}
