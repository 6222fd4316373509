import { architecturesOf, identityOf, kindOf, organizationOf } from '@weir/events';
import type { WeirEvent } from '@weir/events';

/** Points of one measurement with the same tags, before the guard (guard.ts) has seen them. */
export interface Series {
  /** The kind's name (`pull`, `build_finished`), or `other` for a type that is not in the catalogue. */
  measurement: string;
  /** Tags in the order of {@link TAGS}, which is the sorted one that InfluxDB likes best; absent ones are left out. */
  tags: readonly (readonly [name: TagName, value: string])[];
}

/**
 * One event as InfluxDB will hold it, before it has its nanoseconds (see slots.ts) and its tags have passed the guard
 * (see guard.ts). Every event becomes exactly one point, whatever its type and however many platforms it names.
 */
export interface Point {
  /** One object for all events of these tags, for as long as they are remembered. */
  series: Series;
  measurement: string;
  /** In line protocol: `name=value,…`. */
  fields: string;
  /** The event's own time, milliseconds since 1970, UTC. */
  timeMs: number;
  /** `identityKey(event)`, also stored as the field `identity`: how a redelivered event is recognized. */
  identity: string;
  /** Where in its millisecond the event would like to be, 0 to 999,999: a function of its identity alone. */
  preferredSlot: number;
  /** It may have been written before, by whoever had it then. */
  again: boolean;
}

/** All tags that Weir ever writes, sorted. What could take any number of values is a field instead (S39). */
export const TAGS = [
  'action', 'architecture', 'client', 'cloud', 'country', 'fusion', 'kind', 'organization', 'os', 'outcome', 'pattern',
  'service', 'source', 'state', 'type',
] as const; // prettier-ignore
export type TagName = (typeof TAGS)[number];

/** The measurement of all events whose type is not in the catalogue; their type is the tag `type`. */
export const OTHER = 'other';

/** Nanoseconds in a millisecond: how many events one measurement can hold in one millisecond. */
export const SLOTS = 1_000_000;

/** The most characters of a text that go into a field; the whole event is in the debug echo. */
const FIELD_CHARACTERS = 1024;
/** A tag that is longer than this says nothing on a chart. */
const TAG_CHARACTERS = 255;

/** What an event becomes. Total: never throws for anything that `checkEvent` accepts. */
export function pointOf(event: WeirEvent, again = false): Point {
  const platforms = platformsOf(event.data);
  const identity = identityOf(event);
  const key = identity.toString('base64url');
  const series = seriesFor(event, platforms);
  return {
    series,
    measurement: series.measurement,
    fields: flat(fieldsOf(event, platforms, key)),
    timeMs: Date.parse(event.time),
    identity: key,
    preferredSlot: identity.readUInt32BE(0) % SLOTS,
    again,
  };
}

const REMEMBERED = 10_000;
const remembered = new Map<string, Series>();

/** The same object for the same tags, so that thousands of points at one time hold no tags of their own. */
function seriesFor(event: WeirEvent, platforms: readonly string[]): Series {
  const kind = kindOf(event.type);
  const measurement = kind?.name ?? OTHER;
  const tags = tagsOf(event, platforms, kind === undefined);
  const text = seriesOf(measurement, tags);
  const known = remembered.get(text);
  if (known) return known;
  if (remembered.size >= REMEMBERED) remembered.clear();
  const series = { measurement, tags };
  remembered.set(text, series);
  return series;
}

/** `measurement,tag=value,…` in line protocol. Two points with the same text here are of one series. */
export function seriesOf(measurement: string, tags: Series['tags']): string {
  let text = measurement;
  for (const [name, value] of tags) text += `,${name}=${escaped(value)}`;
  return text;
}

/**
 * A text as the value of a tag: trimmed, at most 255 characters, without what InfluxDB cannot hold there. A backslash
 * has no representation before a delimiter or at the end (influxdb#5231, #5407), so each becomes `/`; a control
 * character, newline above all, becomes `_` (influxdb#9966: a newline started a second point). Undefined when empty.
 */
export function tagValue(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (PLAIN.test(value)) return value;
  const text = value
    .trim()
    .slice(0, TAG_CHARACTERS)
    .replace(/\p{Cs}/gu, '\ufffd');
  if (text === '') return undefined;
  return /[\\\u0000-\u001f\u007f]/.test(text)
    ? text.replaceAll('\\', '/').replace(/[\u0000-\u001f\u007f]/g, '_')
    : text;
}

/** What nearly every tag is: printable ASCII without a backslash, and not too long. */
const PLAIN = /^[!-[\]-~]{1,255}$/;

/** Types that are not in the catalogue may have anything there. */
const COUNTRY = /^[A-Z]{2}$/;
const PATTERNS: ReadonlySet<string> = new Set(['production-or-poller', 'development', 'unknown']);

function tagsOf(event: WeirEvent, platforms: readonly string[], unknown: boolean): Series['tags'] {
  const data = event.data;
  const tags: (readonly [TagName, string])[] = [];
  const add = (name: TagName, value: string | undefined) => {
    if (value !== undefined) tags.push([name, value]);
  };
  add('action', tagValue(data['action']));
  add('architecture', oneOf(architecturesOf(event)));
  add('client', tagValue((data['client'] as { name?: unknown } | null | undefined)?.name));
  add('cloud', tagValue((data['network'] as { cloud?: unknown } | null | undefined)?.cloud));
  add('country', COUNTRY.test(String(data['country'])) ? String(data['country']) : undefined);
  add('fusion', typeof data['fusion'] === 'boolean' ? String(data['fusion']) : undefined);
  add('kind', tagValue(data['kind']));
  add('organization', tagValue(organizationOf(event)));
  add('os', oneOf(platforms.length > 1 ? [...new Set(platforms.map(osOf))] : platforms.map(osOf)));
  add('outcome', tagValue(data['outcome']));
  add('pattern', PATTERNS.has(String(data['pattern'])) ? String(data['pattern']) : undefined);
  add('service', tagValue(data['service']));
  add('source', tagValue(event.source));
  add('state', tagValue(data['state']));
  add('type', unknown ? tagValue(event.type) : undefined);
  return tags;
}

/**
 * Fields and their types are fixed here, once for all kinds: no event can start a conflict of field types.
 *
 * `data.source`, the pseudonyms of who asked, is left out on purpose: points may be kept for years, and what one source
 * did is nobody's chart (docs/uniques.md).
 */
function fieldsOf({ id, data }: WeirEvent, platforms: readonly string[], identity: string): string {
  const client = data['client'] as { version?: unknown } | null | undefined;
  const network = data['network'] as { name?: unknown; asn?: unknown } | null | undefined;
  return (
    `identity="${identity}"` +
    text('id', id) +
    text('repository', data['repository']) +
    text('tag', data['tag']) +
    text('digest', data['digest']) +
    text('platforms', platforms.join(',')) +
    text('clientVersion', client?.version) +
    text('artifactType', data['artifactType']) +
    text('pull', data['pull']) +
    text('resource', data['resource']) +
    text('entity', data['entityName']) +
    text('reason', data['reason']) +
    text('network', network?.name) +
    number('asn', network?.asn) +
    number('bytes', data['bytes']) +
    number('layers', data['layers']) +
    number('durationMs', data['durationMs']) +
    number('responseTimeMs', data['responseTimeMs']) +
    number('queueLength', data['queueLength']) +
    number('events', data['events']) +
    truth('healthy', data['healthy'])
  );
}

/**
 * The same text in one piece: V8 keeps a text that was put together as a tree of its parts until somebody looks into it,
 * twenty objects for each of the thousands of points that wait.
 */
function flat(text: string): string {
  // The code that is asked for must be used: where it is not, it is not looked at either, once this has been compiled.
  return text.charCodeAt(0) === 0 ? '' : text;
}

/** A text field keeps every character, newlines included. */
function text(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') return '';
  const cut = value.length > FIELD_CHARACTERS ? value.slice(0, FIELD_CHARACTERS) : value;
  return `,${name}="${/["\\]/.test(cut) ? cut.replace(/["\\]/g, '\\$&') : cut}"`;
}

function number(name: string, value: unknown): string {
  return typeof value === 'number' && Number.isFinite(value) ? `,${name}=${value}` : '';
}

function truth(name: string, value: unknown): string {
  return typeof value === 'boolean' ? `,${name}=${value}` : '';
}

function platformsOf(data: Record<string, unknown>): string[] {
  const { platform, platforms } = data;
  const named = Array.isArray(platforms) ? platforms : [platform];
  return named.filter((name): name is string => typeof name === 'string' && name !== '');
}

function oneOf(names: readonly string[]): string | undefined {
  return names.length > 1 ? 'multiple' : names[0];
}

/** Go's GOOS values that images are built for. */
const SYSTEMS: ReadonlySet<string> = new Set(['linux', 'windows', 'darwin', 'freebsd', 'wasi', 'wasip1']);

function osOf(platform: string): string {
  const [system = '', architecture] = platform.trim().toLowerCase().split('/');
  const os = system.split('(', 1)[0] ?? ''; // windows(10.0.17763)/amd64 is of Windows
  return architecture !== undefined && SYSTEMS.has(os) ? os : 'unknown';
}

function escaped(value: string): string {
  return /[,= ]/.test(value) ? value.replace(/[,= ]/g, '\\$&') : value;
}
