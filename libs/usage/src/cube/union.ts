import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { commandsOf, instead, isBlock, isStartedDay, piecesOf, type Piece } from './blocks';
import { OTHER, type Series } from './keys';
import { QuestionError } from './question-error';
import { sendAll, sendAsOne } from './replies';

/** Members and their sums over a range, kept in Redis while they are read: a sorted set of its own that goes by itself. */
export interface Union {
  /** How many combinations there are. */
  size: number;
  /** What had no room for a name. */
  other: number;
  /** What one member has, 0 when there is none. */
  valueAt(member: string): Promise<number>;
  /** Largest first, then by member; `from` and `to` are ranks, half-open. @throws Error when it took too long to ask */
  pages(from: number, to: number): AsyncGenerator<readonly Scored[]>;
  /** It is not needed any more. Never fails: what cannot be deleted now goes by itself. */
  release(): Promise<void>;
}

export type Scored = readonly [member: string, value: number];

/** Rows in one page, which is one answer of Redis. */
export const PAGE = 1000;

/** How long a union waits for the next page to be wanted. */
const KEEP_SECONDS = 60;

/** Members of all pieces together: some seconds of work for Redis, during which nothing else goes on there. */
const MAX_MEMBERS = 5_000_000;

export interface UnionOptions {
  redis: Redis;
  prefix: string;
  series: Series;
  /** Names of buckets in order of time. */
  buckets: readonly string[];
  /** How many days they are kept, and how many names each can have. */
  keep: { days: number; names: number };
  now: number;
  maxMembers?: number;
}

/**
 * Makes the union of buckets. Days that are over are read as blocks, which are made where there are none yet, one after
 * the other, so that others get their turn between them; the hours of today as the day, while nothing lies after them.
 *
 * A block can go at any moment: with the next event of one of its days, or because its time is up. And an event of a later
 * hour can come. So the transaction that makes the union says of each whether it held; what did not is read by its days or
 * hours instead.
 *
 * @throws QuestionError when it would take too long
 */
export async function makeUnion({
  redis,
  prefix,
  series,
  buckets,
  keep,
  now,
  maxMembers = MAX_MEMBERS,
}: UnionOptions): Promise<Union> {
  const mayBeTooMany = buckets.length * keep.names > maxMembers;
  let pieces = piecesOf(prefix, series, buckets, now);
  for (let made = false; ; made = true) {
    if (mayBeTooMany) await refuseTooMany(pieces);
    const { failed, union } = await tryUnion({ redis, prefix }, pieces);
    if (failed.size === 0) return union;
    if (!made)
      for (const piece of failed) if (isBlock(piece)) await sendAsOne(redis, commandsOf(piece, keep.days, now));
    pieces = pieces.flatMap((piece) => (failed.has(piece) && (made || !isBlock(piece)) ? instead(piece) : [piece]));
  }

  async function refuseTooMany(wanted: readonly Piece[]): Promise<void> {
    const sizes = (await sendAll(
      redis,
      wanted.map(({ key }) => ['zcard', key]),
    )) as number[];
    if (sizes.reduce((sum, size) => sum + size, 0) > maxMembers)
      throw new QuestionError('from', 'there are too many names to be added up', 'a shorter range');
  }
}

/** The union of sets as they are at one moment. */
export async function unionOf(where: Where, keys: readonly string[]): Promise<Union> {
  return (await tryUnion(where, keys.map((key) => ({ key })))).union; // prettier-ignore
}

interface Where {
  redis: Redis;
  prefix: string;
}

/** Scores are negative there, so that equal ones come in the order of their names. */
async function tryUnion(
  { redis, prefix }: Where,
  pieces: readonly Piece[],
): Promise<{ union: Union; failed: ReadonlySet<Piece> }> {
  const doubtful = pieces.filter((piece) => isBlock(piece) || isStartedDay(piece));
  const key = `${prefix}weir:cube-answer:${randomUUID()}`;
  const keys = pieces.length === 0 ? [key] : pieces.map((piece) => piece.key); // of nothing, the empty one
  const replies = await sendAsOne(redis, [
    ...doubtful.map((piece) => ['exists', ...(isBlock(piece) ? [piece.key] : piece.later)]),
    ['zunionstore', key, keys.length, ...keys, 'WEIGHTS', ...keys.map(() => -1)],
    ['zscore', key, OTHER],
    ['zrem', key, OTHER],
    ['zcard', key],
    ['expire', key, KEEP_SECONDS],
  ]);
  const failed = new Set<Piece>(doubtful.filter((piece, at) => (replies[at] === 0) === isBlock(piece)));
  const [, other, , size] = replies.slice(doubtful.length);
  const union = unionAt(redis, key, { size: Number(size), other: 0 - Number(other ?? 0) });
  if (failed.size > 0) await union.release();
  return { union, failed };
}

function unionAt(redis: Redis, key: string, { size, other }: Pick<Union, 'size' | 'other'>): Union {
  const read = async (...command: (string | number)[]): Promise<unknown> => {
    const [kept, reply] = await sendAll(redis, [['expire', key, KEEP_SECONDS], command]);
    if (kept !== 1) throw new Error(`more than ${KEEP_SECONDS} s went by between two pages of an answer; ask again`);
    return reply;
  };

  return {
    size,
    other,
    async valueAt(member) {
      return size === 0 ? 0 : 0 - Number((await read('zscore', key, member)) ?? 0);
    },
    async *pages(from, to) {
      const end = Math.min(to, size);
      for (let at = from; at < end; at += PAGE) {
        yield scoredOf((await read('zrange', key, at, Math.min(at + PAGE, end) - 1, 'WITHSCORES')) as string[]);
      }
    },
    async release() {
      await redis.unlink(key).catch(() => {});
    },
  };
}

function scoredOf(flat: readonly string[]): Scored[] {
  const scored: Scored[] = [];
  for (let at = 0; at < flat.length; at += 2) scored.push([flat[at] ?? '', 0 - Number(flat[at + 1])]);
  return scored;
}
