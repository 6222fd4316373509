import { blockKey, BLOCK_DAYS, bucketKey, OTHER, type BlockDays, type Series } from './keys';
import { dayNumber, isDay } from './buckets';
import { DAY_MS } from './calendar';

/** A bucket, or several days that are read as one. */
export type Piece = Bucket | Block;
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

export const isBlock = (piece: Piece): piece is Block => 'days' in piece;

/** How long a block is kept: whoever asks next week makes it anew. */
const KEEP_BLOCK_MS = 7 * DAY_MS;

/**
 * The fewest pieces that make up these buckets: blocks for days in a row that are over, as long as there are.
 *
 * @param buckets different ones in order of time
 */
export function piecesOf(prefix: string, series: Series, buckets: readonly string[], now: number): Piece[] {
  const today = Math.floor(now / DAY_MS);
  return cover(buckets, BLOCK_DAYS);

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
