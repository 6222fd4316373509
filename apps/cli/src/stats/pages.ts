import type { z } from 'zod';
import { queryAnswer, type AnswerRow, type QueryHead } from './answers';
import type { Parameters, StatsApi } from './api';

/** An answer whose rows are asked for page by page, while they are taken. */
export interface PagedAnswer {
  /** All but the rows. */
  head: QueryHead;
  /** At most as many as were wanted. */
  rows: AsyncGenerator<readonly AnswerRow[]>;
  /** Whether there are more than were wanted; known when the rows have been taken. */
  more(): boolean;
}

export const QUERY = '/v1/query';

/** Rows of one answer that is in memory as a whole. */
const PAGE = 5000;
/** The most that the API takes for a limit. */
const MAX_LIMIT = 100_000;

/** @param limit of rows; Infinity for all of them */
export async function askPages(api: StatsApi, parameters: Parameters, limit: number): Promise<PagedAnswer> {
  let page = await ask(api, [...parameters, ['limit', limitOf(Math.min(limit, PAGE))]]);
  const { rows: _rows, next: _next, ...head } = page;
  let left = limit;

  async function* rows(): AsyncGenerator<readonly AnswerRow[]> {
    for (;;) {
      yield page.rows.slice(0, left);
      left -= page.rows.length;
      const next = nextOf(page.next, left);
      if (next === undefined || page.rows.length === 0) return;
      page = await ask(api, next);
    }
  }
  return { head, rows: rows(), more: () => left < 0 || typeof page.next === 'string' };
}

/** As a parameter; none for Infinity. */
export const limitOf = (rows: number): string | undefined =>
  rows === Infinity ? undefined : String(Math.min(rows, MAX_LIMIT));

const ask = (api: StatsApi, parameters: Parameters): Promise<z.infer<typeof queryAnswer>> =>
  api.ask(QUERY, parameters, queryAnswer);

/**
 * The parameters of the next page; undefined when there is none, or none is wanted. Only the question of the address
 * is taken: a server sends nobody elsewhere with credentials.
 */
export function nextOf(next: string | null | undefined, left: number): Parameters | undefined {
  if (typeof next !== 'string' || left <= 0 || !URL.canParse(next, 'http://stats')) return undefined;
  const parameters = new URL(next, 'http://stats').searchParams;
  const limit = Number(parameters.get('limit') ?? Infinity);
  if (left < limit) parameters.set('limit', limitOf(left) ?? '');
  return [...parameters];
}
