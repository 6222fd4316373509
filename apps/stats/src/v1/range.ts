import { parseTime } from '@weir/usage';
import { gapsParameters } from './parameters';
import type { Mistake } from './mistakes';

export interface Range {
  /** Unix ms, half-open. */
  from: number;
  to: number;
}

/** The range that `from` and `to` say; absent when one of them is wrong, which is added to the mistakes. */
export function rangeOf(values: { from?: string; to?: string }, now: number, mistakes: Mistake[]): Range | undefined {
  const read = (parameter: 'from' | 'to') => {
    const time = parseTime(values[parameter] ?? '', now, parameter);
    if (typeof time === 'number') return time;
    mistakes.push({ parameter, message: time, allowed: gapsParameters.shape[parameter].description ?? '' });
    return undefined;
  };
  const [from, to] = [read('from'), read('to')];
  if (from === undefined || to === undefined) return undefined;
  if (from < to) return { from, to };
  mistakes.push({ parameter: 'to', message: `must be after from (${iso(from)})`, allowed: 'a time after from' });
  return undefined;
}

/** ISO 8601 in UTC, as short as it can be told. */
export function iso(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}
