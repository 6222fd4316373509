import { CliError, exitCodes } from '../io';
import { queryAnswer, row, type AnswerRow, type QueryAnswer, type QueryHead } from './answers';
import type { Parameters, StatsApi } from './api';

/** An answer whose rows come while they are taken. */
export interface PagedAnswer {
  /** All but the rows. */
  head: QueryHead;
  /** At most as many as were wanted. */
  rows: AsyncGenerator<readonly AnswerRow[]>;
  /** Whether there may be more than were wanted; known when the rows have been taken. */
  more(): boolean;
}

export const QUERY = '/v1/query';

/** Rows of the first answer, which is in memory as a whole. */
const PAGE = 5000;
/** The most rows that the API gives at once; each answer has an end in time, too. */
export const MAX_LIMIT = 100_000;

/**
 * Asks for the head and some rows in JSON; those beyond come as NDJSON, a line at a time: a page of an answer costs the
 * API as much as all of it.
 *
 * @param limit of rows; Infinity for all of them
 */
export async function askPages(api: StatsApi, parameters: Parameters, limit: number): Promise<PagedAnswer> {
  const asked: Parameters = [...parameters, ['limit', String(Math.min(limit, PAGE))]];
  const first = await api.ask(QUERY, asked, queryAnswer);
  const left = limit - first.rows.length;
  let more = left < 0 || typeof first.next === 'string';

  async function* rows(): AsyncGenerator<readonly AnswerRow[]> {
    yield first.rows.slice(0, limit);
    const next = first.rows.length > 0 ? nextOf(first.next, left, asked) : undefined;
    if (next) more = yield* linesOf(openPages(api, withLimit(next, left), 'application/x-ndjson', left));
  }
  return { head: headOf(first), rows: rows(), more: () => more };
}

/** The bodies of a page and of those after it. @returns whether there may be more than were wanted */
export async function* openPages(
  api: StatsApi,
  first: Parameters,
  mediaType: string,
  limit: number,
): AsyncGenerator<AsyncIterable<Uint8Array>, boolean> {
  let asked = first;
  let left = limit;
  for (;;) {
    const { headers, body } = await api.open(QUERY, asked, mediaType);
    let bytes = 0;
    yield counting(body, (more) => (bytes += more));
    const next = nextIn(headers);
    if (bytes === 0) return false; // a long answer names a next page before it knows whether there is one
    left -= Number(asked.find(([name]) => name === 'limit')?.[1] ?? 0); // a page with a next one has as many
    const following = nextOf(next, left, asked);
    if (!following) return next !== undefined;
    asked = following;
  }
}

async function* counting(body: AsyncIterable<Uint8Array>, count: (bytes: number) => void) {
  for await (const piece of body) {
    count(piece.length);
    yield piece;
  }
}

/** RFC 8288, as far as the API uses it: `<…>; rel="next"`. */
function nextIn(headers: Headers): string | undefined {
  return /<([^>]*)>\s*;\s*rel="?next"?/.exec(headers.get('link') ?? '')?.[1];
}

export const withLimit = (parameters: Parameters, limit: number): Parameters => [
  ...parameters.filter(([name]) => name !== 'limit'),
  ['limit', String(Math.min(limit, MAX_LIMIT))],
];

/** Far longer than a row of the longest names. */
const MAX_LINE = 1024 * 1024;

/** The rows of NDJSON, as many at once as came at once. */
async function* linesOf(
  bodies: AsyncGenerator<AsyncIterable<Uint8Array>, boolean>,
): AsyncGenerator<readonly AnswerRow[], boolean> {
  for (;;) {
    const next = await bodies.next();
    if (next.done) return next.value;
    const decoder = new TextDecoder();
    let rest = '';
    for await (const piece of next.value) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE) throw new CliError(`the read API sent a line of more than ${MAX_LINE / 1024} KiB`);
      yield lines.filter((line) => line !== '').map(rowIn);
    }
    if (rest !== '') yield [rowIn(rest)];
  }
}

function rowIn(line: string): AnswerRow {
  try {
    return row.parse(JSON.parse(line));
  } catch {
    throw new CliError('the read API sent a line that is no row: is STATS_URL right?', exitCodes.configuration);
  }
}

function headOf(answer: QueryAnswer): QueryHead {
  const head: QueryHead & Partial<QueryAnswer> = { ...answer };
  delete head.rows;
  delete head.next;
  return head;
}

/**
 * The parameters of the next page; undefined when there is none, or none is wanted. Only the question of the address
 * is taken: a server sends nobody elsewhere with credentials.
 *
 * @throws CliError when it is the page that was asked for: it would never end
 */
export function nextOf(next: string | null | undefined, left: number, asked: Parameters): Parameters | undefined {
  if (typeof next !== 'string' || left <= 0 || !URL.canParse(next, 'http://stats')) return undefined;
  const parameters = new URL(next, 'http://stats').searchParams;
  if (parameters.get('cursor') === (asked.find(([name]) => name === 'cursor')?.[1] ?? null))
    throw new CliError('the read API names the same page as the next one: what is shown is not all');
  if (left < Number(parameters.get('limit') ?? Infinity)) parameters.set('limit', String(left));
  return [...parameters];
}
