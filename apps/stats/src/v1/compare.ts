import { countedRange, type Answer, type Description, type Question, type Row } from '@weir/usage';
import type { Range } from './range';

export type Compare = 'previous' | 'previous-year';

/** A row with the number of the same place in the range before. */
export interface ComparedRow extends Row {
  previous?: number;
}

/** The question about the range before the one that was counted: of all combinations, and the same in everything else. */
export function questionBefore(question: Question, counted: Range, compare: Compare): Question {
  const before: Question = { ...question, ...rangeBefore(counted, compare), fill: false };
  delete before.top;
  return before;
}

/** As long, just before; or of the same dates of the year before, where 29 February is 1 March. */
function rangeBefore({ from, to }: Range, compare: Compare): Range {
  if (compare === 'previous') return { from: from - (to - from), to: from };
  const yearBefore = (time: number) => {
    const date = new Date(time);
    return date.setUTCFullYear(date.getUTCFullYear() - 1);
  };
  return { from: yearBefore(from), to: yearBefore(to) };
}

/** Starts of intervals → their place in a range. */
export type Places = ReadonlyMap<number, number>;

export function placesOf(question: Question, { keepDays }: Description, now: number): Places {
  return new Map(countedRange(question, keepDays, now).spans.map(({ start }, place) => [start, place]));
}

/**
 * Gives each row the number before: of the same combination, in the interval at the same place of its range; 0 where there
 * was none. In memory are these rows only; those of the answer before go by.
 */
export async function compared(
  rows: readonly Row[],
  before: Answer,
  places: { now: Places; before: Places },
): Promise<ComparedRow[]> {
  const compared = rows.map((row): ComparedRow => ({ ...row, previous: 0 }));
  const found = new Map(compared.map((row) => [placeOf(row, places.now), row]));
  for await (const page of before.rows) {
    for (const row of page) {
      const same = found.get(placeOf(row, places.before));
      if (same !== undefined) same.previous = row.value;
    }
  }
  return compared;
}

function placeOf({ time, values }: Row, places: Places): string {
  return JSON.stringify([time === undefined ? 0 : places.get(time), values]);
}
