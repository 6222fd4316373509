import { hash } from 'node:crypto';

/** Longer values are cut to one more than this: in UTF-16 units, as JavaScript counts. */
const LONGEST = 255;
const HASH_DIGITS = 32;

/**
 * The value of a dimension as it is kept, or undefined for one that is as good as not known: the empty text, and text
 * that is no well-formed Unicode.
 *
 * A long value does not cost an event its count: it is cut to 256 units, of which the last 32 are of the SHA-256 of the
 * whole. What is shorter stays, so two values never become one.
 */
export function keptValue(value: string): string | undefined {
  if (value === '' || halfPair.test(value)) return undefined;
  if (value.length <= LONGEST) return value;
  const digits = hash('sha256', value).slice(0, HASH_DIGITS);
  const begins = value.slice(0, LONGEST - HASH_DIGITS);
  // A pair that is cut in two leaves one unit, and so does what stands for it.
  return `${begins.replace(halfPair, '\ufffd')}…${digits}`;
}

const halfPair = /\p{Surrogate}/u;
