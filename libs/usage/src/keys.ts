/** What is counted: the first word of every usage key (seed 000; `scans` from the peer's code, usage-metrics 1.2). */
export const METRICS = ['pulls', 'fusion', 'builds', 'mirrors', 'scans'] as const;
export type Metric = (typeof METRICS)[number];

/** The parts of a usage key. At least one of organization, architecture and day is there: nobody keeps a grand total. */
export interface UsageKey {
  metric: Metric;
  /** Canonical name of an organization; any text but the empty one. */
  organization?: string;
  /** Canonical architecture: `amd64`. */
  architecture?: string;
  /** UTC day, `YYYY-MM-DD`. */
  day?: string;
}

/**
 * The Redis key of a counter: `<metric>[/o/<org>][/a/<arch>][/d/<YYYY-MM-DD>]`, always in this order (seed 000,
 * reference usage-metrics 1.2).
 *
 * Names are percent-encoded outside `[a-z0-9._-]`, so that no organization, whatever it calls itself, can make the key
 * of another one or of another kind: two different inputs never give one key, and {@link parseKey} is the inverse.
 *
 * @throws RangeError for a key with no part at all, an empty name, text that is not well-formed Unicode, or no day.
 */
export function formatKey({ metric, organization, architecture, day }: UsageKey): string {
  if (organization === undefined && architecture === undefined && day === undefined) {
    throw new RangeError(
      `A key of ${metric} needs an organization, an architecture or a day: there is no grand total.`,
    );
  }
  return formatCounter(metric, { o: organization, a: architecture }, day);
}

/**
 * The grammar behind {@link formatKey}, for any measure and dimensions: `<measure>[/<dimension>/<value>]…[/d/<day>]`,
 * dimensions in the order given, undefined ones left out.
 *
 * @throws RangeError as formatKey does, and for a dimension called `d`.
 */
export function formatCounter(
  measure: string,
  dimensions: Readonly<Record<string, string | undefined>>,
  day: string | undefined,
): string {
  let key = encodeName(measure);
  for (const [dimension, value] of Object.entries(dimensions)) {
    if (value === undefined) continue;
    if (dimension === 'd') throw new RangeError('A dimension must not be called d: that is the day.');
    key += `/${encodeName(dimension)}/${encodeName(value)}`;
  }
  return day === undefined ? key : `${key}/d/${checkedDay(day)}`;
}

/** The parts of a usage key, or undefined for text that {@link formatKey} never makes. */
export function parseKey(key: string): UsageKey | undefined {
  const match = grammar.exec(key);
  if (!match?.groups) return undefined;
  const { metric, o, a, d } = match.groups;
  const organization = o === undefined ? undefined : decodeName(o);
  const architecture = a === undefined ? undefined : decodeName(a);
  const parts: UsageKey = {
    metric: metric as Metric,
    ...(organization === undefined ? {} : { organization }),
    ...(architecture === undefined ? {} : { architecture }),
    ...(d === undefined ? {} : { day: d }),
  };
  // Only the canonical form is a key: `%61` for `a`, or a day that never was, is somebody else's.
  try {
    return formatKey(parts) === key ? parts : undefined;
  } catch {
    return undefined;
  }
}

const grammar = new RegExp(
  `^(?<metric>${METRICS.join('|')})(/o/(?<o>[^/]+))?(/a/(?<a>[^/]+))?(/d/(?<d>\\d{4}-\\d\\d-\\d\\d))?$`,
);

/** Whether the text is a day of the calendar, `YYYY-MM-DD`: 2024-02-29 is, 2023-02-29 and 2024-13-45 are not. */
export function isCalendarDay(text: string): boolean {
  if (text === lastDay) return true; // what is asked is nearly always today
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00.000Z`);
  if (Number.isNaN(date.getTime()) || !date.toISOString().startsWith(text)) return false;
  lastDay = text;
  return true;
}

let lastDay: string | undefined;

/**
 * A name as one segment of a key: what is outside `[a-z0-9._-]` becomes `%XX` per byte of UTF-8, capitals too.
 *
 * @throws RangeError for the empty name and for half a surrogate pair, which has no bytes of its own.
 */
export function encodeName(name: string): string {
  if (plain.test(name)) return name;
  if (name === '') throw new RangeError('A name in a key must not be empty.');
  // Half a pair would be written as U+FFFD, as any other half: two names, one key.
  if (halfPair.test(name)) throw new RangeError('A name in a key must be well-formed Unicode.');
  let encoded = '';
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    encoded += plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const plain = /^[a-z0-9._-]+$/;
const halfPair = /\p{Surrogate}/u;

/** The inverse of {@link encodeName}; undefined for text that is not percent-encoded UTF-8. */
export function decodeName(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function checkedDay(day: string): string {
  if (!isCalendarDay(day)) throw new RangeError(`'${day}' is not a day of the calendar, YYYY-MM-DD.`);
  return day;
}
