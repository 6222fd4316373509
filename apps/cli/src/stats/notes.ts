import { clean, colours, type Io } from '../io';
import type { Gap, QueryHead } from './answers';
import { widthOf, wrapped } from './layout';
import { change, quantity, share } from './numbers';
import { minute, rangeOf } from './times';

/** A sentence below a table; a warning says that the numbers are not whole. */
export interface Note {
  text: string;
  warning?: boolean;
}

/** What is to be known of an answer beside its rows. */
export function notesOf(head: QueryHead): Note[] {
  const incomplete = [...gapNotes(head.gaps), ...stateNotes(head), ...sinceNote(head)];
  if (head.complete === false && incomplete.length === 0) incomplete.push({ text: 'the numbers are not whole', warning: true }); // prettier-ignore
  return [{ text: totalOf(head) }, ...compared(head), ...parts(head), ...incomplete];
}

function totalOf(head: QueryHead): string {
  const { statistic, measure, unit, total } = head;
  const name = statistic === measure ? clean(measure, 80) : `${clean(statistic, 80)}, ${clean(measure, 80)}`;
  return `${name}: ${quantity(total, unit)} in all, ${rangeOf(head)}`;
}

function compared({ comparison, unit }: QueryHead): Note[] {
  if (!comparison) return [];
  const text = `before, ${rangeOf(comparison)}: ${quantity(comparison.total, unit)}`;
  return [{ text: comparison.total === 0 ? text : `${text}; now ${change(comparison.change)}` }];
}

function parts({ rest, top, other, capped, anonymous, total, unit }: QueryHead): Note[] {
  const part = (value: number) => `${quantity(value, unit)} (${share(value, total)})`;
  const notes: Note[] = [];
  if (rest) notes.push({ text: `${part(rest)} belong to others than the top${top ? ` ${top}` : ''}` });
  if (anonymous) notes.push({ text: `${part(anonymous)} have no organization that is known` });
  if (other) {
    const text = `${part(other)} had no room for names of their own, and are in the total only`;
    notes.push({ text, warning: true });
  } else if (capped) {
    notes.push({ text: 'some of it had no room for names of their own, and is missing here', warning: true });
  }
  return notes;
}

const MOST_GAPS = 5;

const WHY: Readonly<Record<string, string>> = {
  flow: 'nothing went through to the counters',
  emergency: 'events came through the emergency path',
  outage: 'was down',
};

/** Times of which the numbers may not be whole. */
export function gapNotes(gaps: readonly Gap[]): Note[] {
  const notes = gaps.slice(0, MOST_GAPS).map(({ from, to, reason, service }) => {
    const why = WHY[reason] ?? clean(reason, 60);
    return {
      text: `incomplete: ${rangeOf({ from, to })}, ${service ? `${clean(service, 80)} ` : ''}${why}`,
      warning: true,
    };
  });
  if (gaps.length > MOST_GAPS) notes.push({ text: `… and ${gaps.length - MOST_GAPS} more gaps (--json shows them)`, warning: true }); // prettier-ignore
  return notes;
}

interface Counting {
  state?: string | undefined;
  failures: number;
  lastFailure?: unknown;
}

/** How far a statistic is, and what it could not count. */
export function stateNotes({ state, failures, lastFailure }: Counting): Note[] {
  const notes: Note[] = [];
  if (state === 'filling') notes.push({ text: 'still being filled from the history: the numbers are not whole yet', warning: true }); // prettier-ignore
  if (failures > 0) {
    const why = lastFailure ? `; the last said: ${clean(lastFailure)}` : '';
    notes.push({ text: `${quantity(failures)} events could not be counted by this statistic${why}`, warning: true });
  }
  return notes;
}

function sinceNote({ since, from }: QueryHead): Note[] {
  if (!since || !(Date.parse(since) > Date.parse(from))) return [];
  return [{ text: `nothing is known of what was before ${minute(since)} UTC`, warning: true }];
}

/** Sentences as lines of the terminal. */
export function notesText(io: Io, notes: readonly Note[]): string {
  const paint = colours(io);
  const width = widthOf(io);
  return notes
    .flatMap(({ text, warning }) => wrapped(text, width).map((line) => (warning ? paint.yellow(line) : line)))
    .join('\n');
}
