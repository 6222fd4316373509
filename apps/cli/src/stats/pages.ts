import { CliError } from '../io';
import { queryAnswer, type AnswerRow, type QueryAnswer, type QueryHead } from './answers';
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
/** @param limit of rows; Infinity for all of them */
export async function askPages(api: StatsApi, parameters: Parameters, limit: number): Promise<PagedAnswer> {
  let asked: Parameters = [...parameters, ['limit', String(Math.min(limit, PAGE))]];
  let page = await api.ask(QUERY, asked, queryAnswer);
  let left = limit;

  async function* rows(): AsyncGenerator<readonly AnswerRow[]> {
    for (;;) {
      yield page.rows.slice(0, left);
      left -= page.rows.length;
      const next = nextOf(page.next, left, asked);
      if (next === undefined || page.rows.length === 0) return;
      asked = next;
      page = await api.ask(QUERY, asked, queryAnswer);
    }
  }
  return { head: headOf(page), rows: rows(), more: () => left < 0 || typeof page.next === 'string' };
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
