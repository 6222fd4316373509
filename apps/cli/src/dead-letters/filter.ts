import type { DeadLetter } from './letter';

/** Which letters are meant. Everything that is given has to hold. */
export interface Filter {
  ids?: readonly string[] | undefined;
  /** Whole reasons; `*` stands for anything. */
  reasons?: readonly string[] | undefined;
  /** Ages since a letter was parked, milliseconds. */
  olderThanMs?: number | undefined;
  newerThanMs?: number | undefined;
}

/** A letter that does not say when it was parked is of no age: it is neither older nor newer than anything. */
export function filterOf(
  { ids, reasons, olderThanMs, newerThanMs }: Filter,
  now: Date,
): (letter: DeadLetter) => boolean {
  const wanted = ids && new Set(ids);
  const reason = reasons && patternOf(reasons);
  return (letter) => {
    if (wanted && !wanted.has(letter.id)) return false;
    if (reason && !reason.test(letter.reason)) return false;
    if (olderThanMs === undefined && newerThanMs === undefined) return true;
    const age = now.getTime() - Date.parse(letter.time);
    if (Number.isNaN(age)) return false;
    return (olderThanMs === undefined || age > olderThanMs) && (newerThanMs === undefined || age < newerThanMs);
  };
}

function patternOf(reasons: readonly string[]): RegExp {
  const each = reasons.map((reason) => reason.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*'));
  return new RegExp(`^(?:${each.join('|')})$`, 's');
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `90s`, `15m`, `6h`, `2d`, `1w` in milliseconds; undefined for anything else. */
export function parseAge(text: string): number | undefined {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  return count === '' ? undefined : Number(count) * (UNIT_MS[unit] ?? NaN);
}
