import type { Problem } from '@weir/events';

/**
 * Seed 003's events: flat objects `{category, type, created, …}` as Clowder's event sink publishes them, and the bodies
 * of its health monitor (`{ping_status}`, `{homepage_status}`). Field names: reference gateways-registries-sinks 3.2, 3.4.
 */
export type Flat = Record<string, unknown>;

/** What a flat event becomes; checking it is the catalogue's business. */
export interface Translated {
  type: string;
  /** RFC 3339, or undefined when the event does not say when. */
  time: string | undefined;
  data: Record<string, unknown>;
  /** Our names of fields → the sender's, so that a problem names what was sent: `data.bytes` → `size`. */
  sentAs: Record<string, string>;
}

interface Rule {
  type: string;
  /** Catalogue field ← sender's field. */
  rename?: Record<string, string>;
  /** What the sender's fields say together. */
  data?: (flat: Flat) => Record<string, unknown>;
}

const bytes = { bytes: 'size' };
const resource = (flat: Flat) => ({ resource: resourceOf(flat) });

/** The one table: a category of seed 003, and what it is in the catalogue. What is not here keeps its own name. */
const RULES: ReadonlyMap<string, Rule> = new Map([
  ['view_resource', { type: 'io.weir.view', data: resource }],
  ['download', { type: 'io.weir.download', rename: bytes, data: resource }],
  ['upload', { type: 'io.weir.storage', rename: bytes, data: (flat) => ({ action: 'uploaded', ...resource(flat) }) }],
  ['delete', { type: 'io.weir.storage', rename: bytes, data: (flat) => ({ action: 'deleted', ...resource(flat) }) }],
  ['extraction', { type: 'io.weir.extraction', rename: { extractor: 'extractor_name' }, data: extraction }],
]);

const OUTAGE_STATES = new Set(['up', 'down', 'maintenance']);

/** Whether this is one of seed 003's shapes. */
export function isFlat(value: Record<string, unknown>): boolean {
  if ('specversion' in value || 'data' in value) return false;
  return 'category' in value || isObject(value['ping_status']) || isObject(value['homepage_status']);
}

/** Translates a flat event. `caller` names the service when a health body does not (the notifier sends no name). */
export function translate(flat: Flat, caller: string): { translated: Translated } | { problems: Problem[] } {
  const time = timeOf(flat['created']);
  if (time === null) {
    return {
      problems: [{ field: 'created', message: 'must be epoch seconds, epoch milliseconds or an ISO 8601 time' }],
    };
  }
  if (isObject(flat['ping_status'])) return done(ping(flat, flat['ping_status'], caller), time);
  if (isObject(flat['homepage_status'])) return done(homepage(flat, flat['homepage_status'], caller), time);

  const { category, type } = flat;
  const problems = [word('category', category), type === undefined ? undefined : word('type', type)];
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) return { problems: found };
  const known = category === 'service_status' ? serviceStatus(flat, caller) : undefined;
  const rule = RULES.get(String(category)) ?? { type: ownType(String(category), type) };
  return done(known ?? apply(rule, flat), time);
}

type Body = Omit<Translated, 'time'>;

function done(body: Body, time: string | undefined) {
  return { translated: { ...body, time, sentAs: { ...body.sentAs, time: 'created' } } };
}

/** Fields of the envelope, and those that become `data.user`: none of them is repeated in `data`. */
const ENVELOPE = new Set(['id', 'created', 'category', 'ping_status', 'homepage_status']);
const USER = /^user_([a-z][a-z0-9_]*)$/;

function apply(rule: Rule, flat: Flat): Body {
  const data: Record<string, unknown> = {};
  const sentAs: Record<string, string> = {};
  // A dataset's "size" counts its files and folders: not bytes.
  const rename = Object.entries(rule.rename ?? {}).filter(([ours]) => ours !== 'bytes' || flat['type'] !== 'dataset');
  for (const [ours, theirs] of rename) {
    if (flat[theirs] === undefined) continue;
    data[ours] = flat[theirs];
    sentAs[`data.${ours}`] = theirs;
  }
  Object.assign(data, rule.data?.(flat));
  const user = userOf(flat);
  if (user) data['user'] = user;
  const renamed = new Set(rename.map(([, theirs]) => theirs));
  for (const [field, value] of Object.entries(flat)) {
    const taken = ENVELOPE.has(field) || renamed.has(field) || USER.test(field) || field === '__proto__';
    if (!taken && !Object.hasOwn(data, field)) data[field] = value;
  }
  return { type: rule.type, data, sentAs };
}

function extraction(flat: Flat): Record<string, unknown> {
  // Seed 003's design has the state of the work (queued, working) as the type; Clowder's code has the kind of resource.
  const state = flat['type'] === 'queued' || flat['type'] === 'working' ? { message: flat['type'] } : {};
  return { ...state, ...resource(flat) };
}

/** An outage by its type, a measurement when it says `healthy`; undefined when it is neither. */
function serviceStatus(flat: Flat, caller: string): Body | undefined {
  const service = flat['service_name'] ?? caller;
  if (OUTAGE_STATES.has(String(flat['type']))) {
    const rule = { type: 'io.weir.outage', data: () => ({ service, state: flat['type'] }) };
    return { ...apply(rule, without(flat, 'service_name', 'type')), sentAs: { 'data.service': 'service_name' } };
  }
  if (flat['healthy'] === undefined) return undefined;
  const measured = { healthy: flat['healthy'], ...responseTime(flat['response_time_avg']) };
  const rule = { type: 'io.weir.health', data: () => ({ service, ...measured }) };
  return {
    ...apply(rule, without(flat, 'service_name', 'healthy')),
    sentAs: { 'data.service': 'service_name', 'data.healthy': 'healthy' },
  };
}

function ping(flat: Flat, status: Flat, caller: string): Body {
  const times = isObject(status['response_time']) ? status['response_time'] : {};
  const data = {
    service: flat['service_name'] ?? caller,
    healthy: status['healthy'],
    ...responseTime(times['avg']),
    ...without(status, 'healthy'),
  };
  return { type: 'io.weir.health', data, sentAs: { 'data.healthy': 'ping_status.healthy' } };
}

function homepage(flat: Flat, status: Flat, caller: string): Body {
  const data = { service: flat['service_name'] ?? caller, healthy: status['success'], ...without(status, 'success') };
  return { type: 'io.weir.health', data, sentAs: { 'data.healthy': 'homepage_status.success' } };
}

/** The monitor sends "0.06 ms"; a bare number is milliseconds too. What cannot be read stays out of the measurement. */
function responseTime(value: unknown): { responseTimeMs?: number } {
  const match = /^\s*(\d+(?:\.\d+)?)(?:\s*(ms|s))?\s*$/.exec(String(value ?? ''));
  return match ? { responseTimeMs: Number(match[1]) * (match[2] === 's' ? 1000 : 1) } : {};
}

/** `dataset/7`, as the catalogue has it; an upload has neither type nor resource_id, only the file's name. */
function resourceOf(flat: Flat): string | undefined {
  const id = flat['resource_id'] ?? flat['resource_name'];
  if (typeof id !== 'string' && typeof id !== 'number') return undefined;
  const kind =
    typeof flat['type'] === 'string' && !/^(queued|working|deleted)$/.test(flat['type']) ? flat['type'] : 'file';
  return `${kind}/${id}`.slice(0, 1024);
}

/** Clowder's id of everybody who is not logged in. */
const ANONYMOUS = '0'.repeat(24);

/** `user_id`, `user_name`, `user_email`, … → `{id, name, email, …}`; undefined for an anonymous user. */
function userOf(flat: Flat): Record<string, unknown> | undefined {
  if (flat['user_id'] === ANONYMOUS) return undefined;
  const fields = Object.entries(flat)
    .map(([field, value]) => [USER.exec(field)?.[1], value] as const)
    .filter((entry): entry is [string, unknown] => entry[0] !== undefined && entry[1] != null);
  const named = isObject(flat['user']) ? flat['user'] : {};
  const user = { ...named, ...Object.fromEntries(fields) };
  return Object.keys(user).length > 0 ? user : undefined;
}

/** A category on no list keeps its name, so that its events are echoed and charted: `io.weir.user_activity.login`. */
function ownType(category: string, type: unknown): string {
  const parts = [category, ...(typeof type === 'string' ? [type] : [])];
  return ['io.weir', ...parts.map((part) => part.toLowerCase().replace(/[^a-z0-9_-]+/g, '_'))].join('.');
}

/** RFC 3339 from epoch seconds, epoch milliseconds or ISO 8601; undefined when absent, null when it is no time. */
function timeOf(created: unknown): string | undefined | null {
  if (created === undefined) return undefined;
  const number = typeof created === 'string' && /^\d{9,14}(\.\d+)?$/.test(created) ? Number(created) : created;
  if (typeof number === 'number') {
    // 10^11 s lies in the year 5138, 10^11 ms in 1973: no event of ours is near either.
    const date = new Date(Math.floor(number < 1e11 ? number * 1000 : number));
    return Number.isNaN(date.getTime()) ? null : date.toISOString();
  }
  if (typeof created !== 'string') return null;
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:\d\d)?$/i.exec(created.trim());
  // A time without a zone is what Python's isoformat() of utcnow() gives: UTC, whatever the zone of this process.
  return match ? `${match[1]}T${match[2]}${match[3] ?? 'Z'}` : null;
}

function word(field: string, value: unknown): Problem | undefined {
  const fits = typeof value === 'string' && value !== '' && value.length <= 100;
  return fits ? undefined : { field, message: 'must be a text of 1 to 100 characters' };
}

function without(flat: Flat, ...fields: string[]): Flat {
  return Object.fromEntries(Object.entries(flat).filter(([field]) => !fields.includes(field)));
}

function isObject(value: unknown): value is Flat {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
