import type { Span } from './buckets';
import { largestFirst, valuesOf, type Combination } from './combinations';
import type { Question, Row } from './question';
import { PAGE, type Scored } from './union';

/** Rows in pages of at most {@link PAGE}, whatever they come in. */
export async function* paged(rows: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>): AsyncGenerator<Row[]> {
  let page: Row[] = [];
  for await (const some of rows) {
    for (const row of some) {
      page.push(row);
      if (page.length < PAGE) continue;
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

export function rowOf({ name, value }: Pick<Combination, 'name' | 'value'>, by: readonly string[]): Row {
  return { values: valuesOf(name, by), value };
}

export async function* rowsOf(
  pages: AsyncIterable<readonly Scored[]>,
  by: readonly string[],
): AsyncGenerator<readonly Row[]> {
  for await (const page of pages) yield page.map(([name, value]) => rowOf({ name, value }, by));
}

/**
 * Rows of each interval. With `fill`, those without anything are 0 when the interval has begun: of what is to come
 * nobody knows.
 *
 * @param sums for each interval what every member has in it, in the order of the combinations' members
 */
export async function* rowsOverTime(
  { by, fill }: Pick<Question, 'by' | 'fill'>,
  combinations: readonly Combination[],
  spans: readonly Span[],
  sums: AsyncIterable<readonly number[]>,
  now: number,
): AsyncGenerator<readonly Row[]> {
  let at = 0;
  for await (const values of sums) {
    const time = spans[at++]?.start ?? 0;
    let member = 0;
    const found = combinations.map(({ name, members }) => {
      let value = 0;
      for (let left = members.length; left > 0; left--) value += values[member++] ?? 0;
      return { name, value };
    });
    const zeros = fill && time <= now;
    const wanted = zeros ? found : found.filter(({ value }) => value !== 0);
    yield wanted.sort(largestFirst).map((each) => ({ time, ...rowOf(each, by) }));
  }
}
