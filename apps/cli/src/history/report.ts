import type { Drift } from '@weir/usage';
import { clean, colours, table, type Io } from '../io';
import { grouped } from './progress';

/** A key, or a minute of a store, that does not hold what the history says. */
export interface Row {
  store: string;
  key: string;
  expected: bigint;
  found: bigint;
}

export const rowOf =
  (store: string) =>
  ({ key, expected, found }: Drift): Row => ({ store, key, expected, found });

export function rowsTable(io: Io, rows: readonly Row[], limit: number): string {
  const paint = colours(io);
  const lines = rows.slice(0, limit).map(({ store, key, expected, found }) => {
    const difference = found - expected;
    const text = `${difference > 0n ? '+' : ''}${grouped(difference)}`;
    return [
      store,
      clean(key, 160),
      grouped(expected),
      grouped(found),
      difference > 0n ? paint.yellow(text) : paint.red(text),
    ];
  });
  const more = rows.length > limit ? `\n${paint.dim(`… and ${grouped(rows.length - limit)} more (--limit)`)}` : '';
  return table(['store', 'key', 'expected', 'found', 'difference'], lines) + more;
}

/** The same for programs; numbers beyond 2^53 are text. */
export function rowsJson(rows: readonly Row[], limit: number): object[] {
  return rows.slice(0, limit).map(({ store, key, expected, found }) => {
    return { store, key, expected: number(expected), found: number(found), difference: number(found - expected) };
  });
}

function number(value: bigint): number | string {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : String(value);
}
