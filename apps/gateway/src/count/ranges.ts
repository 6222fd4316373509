/**
 * Bytes of a blob, as pairs of a first byte and the one after the last: `[0, 10, 20, 30]` are twenty bytes. Sorted, and
 * no two pairs touch. A blob of unknown size ends at Infinity.
 */
export type Ranges = readonly number[];

/**
 * The bytes that a `Range` header asks for (RFC 9110, 14.1.2 and 14.2). All of them without a header, or with one that
 * is not exactly what the grammar allows: a server then answers 200 with the whole. Empty where nothing lies inside.
 */
export function parseRange(header: string | undefined, size: number): Ranges {
  const whole: Ranges = [0, size];
  const set = /^bytes=(.+)$/i.exec(header?.trim() ?? '')?.[1];
  if (set === undefined) return whole;
  const asked: number[] = [];
  for (const spec of set.split(',')) {
    const found = /^[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/.exec(spec);
    const [, first = '', last = ''] = found ?? [];
    if (first === '' && last === '') return whole;
    if (first !== '' && last !== '' && Number(first) > Number(last)) return whole;
    const from = first === '' ? Math.max(size - Number(last), 0) : Number(first);
    const to = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
    if (from < to) asked.push(from, to);
  }
  return union(asked, []);
}

/** What is in either. They need not be sorted. */
export function union(a: Ranges, b: Ranges): Ranges {
  const sorted = [...pairs(a), ...pairs(b)].sort(([x], [y]) => x - y);
  const merged: number[] = [];
  for (const [from, to] of sorted) {
    const end = merged.at(-1);
    if (end === undefined || from > end) merged.push(from, to);
    else merged[merged.length - 1] = Math.max(end, to);
  }
  return merged;
}

/** Bytes in all of them; what has no known end is not counted. */
export function lengthOf(ranges: Ranges): number {
  return pairs(ranges).reduce((sum, [from, to]) => sum + (to === Infinity ? 0 : to - from), 0);
}

/** Is something of these in none of those? */
export function addsTo(those: Ranges, these: Ranges): boolean {
  const all = union(those, these);
  return all.length !== those.length || all.some((bound, n) => bound !== those[n]);
}

/** The first so many bytes of them, in their order. */
export function firstOf(ranges: Ranges, bytes: number): Ranges {
  const first: number[] = [];
  let left = bytes;
  for (const [from, to] of pairs(ranges)) {
    if (left <= 0) break;
    first.push(from, Math.min(to, from + left));
    left -= to - from;
  }
  return first;
}

function pairs(ranges: Ranges): [from: number, to: number][] {
  const found: [number, number][] = [];
  for (let n = 0; n + 1 < ranges.length; n += 2) found.push([ranges[n] as number, ranges[n + 1] as number]);
  return found;
}
