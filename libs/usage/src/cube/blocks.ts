import { blockKey, BLOCK_DAYS, bucketKey, OTHER, type BlockDays, type Series } from './keys';
import { dayNumber, isDay } from './buckets';
import { DAY_MS } from './calendar';

/** A bucket, or several that are read as one. */
export type Piece = Bucket | Block | StartedDay;
interface Bucket {
  key: string;
}
export interface Block {
  key: string;
  /** Keys of its days. */
  days: readonly string[];
  /** Number of the first of them. */
  first: number;
}

/** The hours of a day from its beginning on, read as the whole day as long as nothing is in its other hours. */
export interface StartedDay {
  key: string;
  /** Keys of the hours that are wanted. */
  hours: readonly string[];
  /** Keys of those after them. */
  later: readonly string[];
}

export const isBlock = (piece: Piece): piece is Block => 'days' in piece;
export const isStartedDay = (piece: Piece): piece is StartedDay => 'hours' in piece;

/** What is read where the piece does not hold. */
export function instead(piece: Piece): Piece[] {
  if (isBlock(piece)) return piece.days.map((key) => ({ key }));
  return isStartedDay(piece) ? piece.hours.map((key) => ({ key })) : [piece];
}

/** How long a block is kept: whoever asks next week makes it anew. */
const KEEP_BLOCK_MS = 7 * DAY_MS;

/**
 * The fewest pieces that make up these buckets: blocks for days in a row that are over, as long as there are, and a day
 * for hours that it begins with, which is what today nearly always is.
 *
 * @param buckets different ones in order of time
 */
export function piecesOf(prefix: string, series: Series, buckets: readonly string[], now: number): Piece[] {
  const today = Math.floor(now / DAY_MS);
  const begun = hoursBegun(buckets);
  const pieces = cover(buckets.slice(0, buckets.length - begun), BLOCK_DAYS);
  return begun === 0 ? pieces : [...pieces, startedDay(buckets.slice(-begun))];

  function startedDay(hours: readonly string[]): StartedDay {
    const day = (hours[0] ?? '').slice(0, 'YYYY-MM-DD'.length);
    const keyOf = (bucket: string) => bucketKey(prefix, series, bucket);
    const all = Array.from({ length: 24 }, (_, hour) => keyOf(`${day}T${String(hour).padStart(2, '0')}`));
    return { key: keyOf(day), hours: all.slice(0, hours.length), later: all.slice(hours.length) };
  }

  function cover(part: readonly string[], [days, ...shorter]: readonly BlockDays[]): Piece[] {
    if (days === undefined) return part.map((bucket) => ({ key: bucketKey(prefix, series, bucket) }));
    const pieces: Piece[] = [];
    let between: string[] = [];
    for (let at = 0; at < part.length;) {
      if (isBlockAt(part, at, days, today)) {
        pieces.push(...cover(between, shorter), blockOfDays(part.slice(at, at + days), days));
        between = [];
        at += days;
      } else {
        between.push(part[at++] ?? '');
      }
    }
    return [...pieces, ...cover(between, shorter)];
  }

  function blockOfDays(days: readonly string[], length: BlockDays): Block {
    const first = dayNumber(days[0] ?? '');
    return {
      key: blockKey(prefix, series, length, first),
      days: days.map((day) => bucketKey(prefix, series, day)),
      first,
    };
  }
}

/** How many of the last buckets are the first hours of one day; 0 where a day is not worth it. */
function hoursBegun(buckets: readonly string[]): number {
  const last = buckets.at(-1) ?? '';
  const begun = isDay(last) ? 0 : Number(last.slice('YYYY-MM-DDT'.length)) + 1;
  return begun > 1 && begun < 24 && buckets.at(-begun) === `${last.slice(0, 'YYYY-MM-DD'.length)}T00` ? begun : 0;
}

function isBlockAt(buckets: readonly string[], at: number, days: BlockDays, today: number): boolean {
  const [first, last] = [buckets[at], buckets[at + days - 1]];
  if (first === undefined || last === undefined || !isDay(first) || !isDay(last)) return false;
  const number = dayNumber(first);
  return number % days === 0 && number + days <= today && dayNumber(last) === number + days - 1;
}

/**
 * The commands that make a block, for one transaction. Without any member a sorted set would not be there, and could not
 * be told from one that somebody has deleted since: so every block has the member for what had no room, with 0 if need be.
 *
 * @param keepDays how long days are kept: no block is there longer than the first of its days
 */
export function commandsOf({ key, days, first }: Block, keepDays: number, now: number): (string | number)[][] {
  const until = Math.min(now + KEEP_BLOCK_MS, (first + 1 + keepDays) * DAY_MS);
  return [
    ['zunionstore', key, days.length, ...days],
    ['zincrby', key, 0, OTHER],
    ['expire', key, Math.ceil((until - now) / 1000)],
  ];
}
