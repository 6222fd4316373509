/** Values of documents, compared as MongoDB compares them: identity keys, paths into arrays, nesting. */
import { Decimal128, Double, Int32, Long, serialize } from 'bson';
import type { Document } from './wire';

/**
 * A string that is equal for values that are equal to MongoDB: 1, Long(1) and 1.0 are one value, 1 and '1' are two.
 * (Numbers inside objects are compared by their BSON type, which MongoDB does not do.)
 */
export function keyOf(value: unknown): string {
  if (typeof value === 'string') return `s${value}`;
  if (typeof value === 'number') return `n${value}`;
  if (typeof value === 'bigint' || value instanceof Long || value instanceof Decimal128) return `n${value.toString()}`;
  if (value instanceof Int32 || value instanceof Double) return `n${value.value}`;
  if (value === undefined || value === null) return 'z';
  return `b${Buffer.from(serialize({ v: value })).toString('latin1')}`;
}

/** All values that `path` (dotted) reaches; arrays on the way and at the end count as their members, as in an index. */
export function valuesAt(value: unknown, path: string): unknown[] {
  if (Array.isArray(value)) return value.flatMap((member) => valuesAt(member, path));
  if (path === '') return [value];
  if (!isPlainObject(value)) return [undefined];
  const dot = path.indexOf('.');
  const head = dot < 0 ? path : path.slice(0, dot);
  const next = Object.hasOwn(value, head) ? value[head] : undefined;
  return valuesAt(next, dot < 0 ? '' : path.slice(dot + 1));
}

/** Whether a value has more than `most` levels of objects and arrays; a scalar has none. */
export function isDeeperThan(value: unknown, most: number): boolean {
  if (!Array.isArray(value) && !isPlainObject(value)) return false;
  if (most === 0) return true;
  for (const key in value) if (isDeeperThan((value as Document)[key], most - 1)) return true;
  return false;
}

export function isPlainObject(value: unknown): value is Document {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.getPrototypeOf(value) === Object.prototype
  );
}
