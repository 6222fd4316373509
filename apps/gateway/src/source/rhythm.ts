import { createLru } from '../lru';

/** What the times at which a source asks for a repository look like. */
export type Pattern = 'production-or-poller' | 'development' | 'unknown';

/** A request for a manifest. */
export interface Asked {
  at: Date;
  repository: string;
  /** Tag or digest. */
  reference: string;
}

/**
 * The rhythm of each source in each repository. It is this process's alone: nothing but the pattern leaves it. The rule:
 *
 * - Requests within 20 s are one arrival, at the time and for the reference of the first: the steps of one pull, or many
 *   machines at the stroke of a clock. The last 32 arrivals count, and the gaps between them.
 * - Fewer than four gaps: `unknown`.
 * - At least four fifths of the gaps within a quarter of their median, and at most three references:
 *   `production-or-poller`. A program asks at regular intervals; people do not.
 * - At most half of the gaps within a quarter of their median, and at least two references: `development`.
 * - Anything else: `unknown`.
 */
export interface Rhythm {
  /** Notes a request of a source, by a name that is no address. @returns the pattern as of this request. */
  note(source: string, asked: Asked): Pattern;
  /** Sources in repositories that are remembered. */
  readonly size: number;
}

const ONE_ARRIVAL_MS = 20_000;
const MAX_ARRIVALS = 32;
const MIN_GAPS = 4;
const NEAR = 0.25;
const REGULAR = 0.8;
const IRREGULAR = 0.5;
const FEW_REFERENCES = 3;
const SEVERAL_REFERENCES = 2;
/** An entry takes up to a kilobyte. */
const MAX_ENTRIES = 10_000;
/** Long enough for four gaps of a day, with a day of rest. */
const FORGOTTEN_AFTER_MS = 8 * 24 * 3600_000;

interface Entry {
  /** Milliseconds since 1970, ascending. */
  times: number[];
  /** Of each arrival, as a number: the text may be long. */
  references: number[];
  pattern: Pattern;
}

export function createRhythm(maxEntries = MAX_ENTRIES): Rhythm {
  const entries = createLru<Entry>(maxEntries);
  return {
    note(source, { at, repository, reference }) {
      const key = `${source} ${repository}`;
      const known = entries.get(key);
      const sinceLast = at.getTime() - (known?.times.at(-1) ?? -Infinity);
      if (known && Math.abs(sinceLast) < ONE_ARRIVAL_MS) return known.pattern;
      // Also after a clock was put back: the times from before say nothing.
      if (!known || sinceLast < 0 || sinceLast > FORGOTTEN_AFTER_MS) {
        entries.set(key, { times: [at.getTime()], references: [numberOf(reference)], pattern: 'unknown' });
        return 'unknown';
      }
      arrive(known, at.getTime(), numberOf(reference));
      return known.pattern;
    },
    get size() {
      return entries.size;
    },
  };
}

function arrive(entry: Entry, time: number, reference: number): void {
  entry.times.push(time);
  entry.references.push(reference);
  if (entry.times.length > MAX_ARRIVALS) {
    entry.times.shift();
    entry.references.shift();
  }
  entry.pattern = patternOf(entry);
}

function patternOf({ times, references }: Entry): Pattern {
  if (times.length <= MIN_GAPS) return 'unknown';
  const gaps = gapsOf(times).sort();
  const usual = medianOf(gaps);
  const near = gaps.filter((gap) => Math.abs(gap - usual) <= NEAR * usual).length / gaps.length;
  const distinct = new Set(references).size;
  if (near >= REGULAR && distinct <= FEW_REFERENCES) return 'production-or-poller';
  if (near <= IRREGULAR && distinct >= SEVERAL_REFERENCES) return 'development';
  return 'unknown';
}

/** Numbers of a typed array are sorted as numbers, and several times as fast. */
function gapsOf(times: readonly number[]): Float64Array {
  const gaps = new Float64Array(times.length - 1);
  for (let n = 0; n < gaps.length; n += 1) gaps[n] = (times[n + 1] ?? 0) - (times[n] ?? 0);
  return gaps;
}

function medianOf(sorted: Float64Array): number {
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2;
}

/** 32-bit FNV-1a. */
function numberOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n += 1) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return hash;
}
