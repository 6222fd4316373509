import { createHash } from 'node:crypto';
import { catalogue, checkEvent, encodeEvent, kindOf, limits, newId, organizationOf, redact } from '@weir/events';
import type { Encoded } from '@weir/bus';
import type { Problem, WeirEvent } from '@weir/events';
import type { RefusedAs } from './answer';
import { isFlat, translate } from './clowder';
import type { FirstTime } from './first-time';
import type { ApiKey } from './keys';
import { defaultSource, mayCountFor, maySpeakFor } from './keys';
import type { OrganizationLimit } from './organizations';

/** What an event gets from the request it came in. */
export interface Origin {
  key: ApiKey;
  /** The request's `Idempotency-Key`: makes the identity of events without an id the same in every repetition. */
  idempotencyKey: string | undefined;
  /** The edge's clock; for a signed request the time that it was signed at, which is the same in every repetition. */
  now: Date;
  /** Gives an event that names no time the one of its first arrival. */
  firstTime: FirstTime;
  mayName: OrganizationLimit;
}

export type Enveloped =
  | (Encoded & { source: string })
  | { problems: Problem[]; /** Nothing is wrong with the event, but this key may not send it. */ refused?: RefusedAs };

/**
 * Makes a checked event of what was sent: a CloudEvent, a bare `{type, data}`, or one of seed 003's flat shapes. What
 * is missing in the envelope (id, source, time) is filled in; what is there is kept as it is, but for credentials and
 * addresses, which are taken out.
 */
export function toEvent(sent: unknown, index: number, origin: Origin): Enveloped {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) {
    return { problems: [{ field: '', message: 'must be a JSON object' }] };
  }
  const value = sent as Record<string, unknown>;
  if ('specversion' in value) return complete(value, index, origin);
  if (!isFlat(value)) return lacks(value) ?? complete(bare(value), index, origin);
  const flat = translate(value, origin.key.name);
  if ('problems' in flat) return flat;
  const { sentAs, ...rest } = flat.translated;
  const enveloped = complete({ specversion: '1.0', id: value['id'], ...rest }, index, origin);
  return 'body' in enveloped ? enveloped : { ...enveloped, problems: enveloped.problems.map(named(sentAs)) };
}

const open = catalogue.filter(({ reserved }) => !reserved);
const typeOfName = new Map(open.map(({ type }) => [type.replace('io.weir.', ''), type]));

/** `{type, data}` without an envelope. A name of the catalogue stands for its type: `pull` for `io.weir.pull`. */
function bare(value: Record<string, unknown>): Record<string, unknown> {
  const { type } = value;
  return { specversion: '1.0', ...value, type: (typeof type === 'string' && typeOfName.get(type)) || type };
}

function lacks(value: Record<string, unknown>): Enveloped | undefined {
  const missing = ['type', 'data'].filter((field) => value[field] === undefined);
  if (missing.length === 0) return undefined;
  return {
    problems: missing.map((field) => ({ field, message: 'is missing: an event is at least {"type": …, "data": {…}}' })),
  };
}

function complete(value: Record<string, unknown>, index: number, origin: Origin): Enveloped {
  const { attributes, problems } = attributesOf(value);
  if (problems.length > 0) return { problems };
  attributes['id'] ??= idOf(index, origin);
  attributes['source'] ??= defaultSource(origin.key);
  attributes['time'] ??= timeOf(attributes, origin);
  const checked = checkEvent(attributes, { now: origin.now });
  if (!checked.ok) return { problems: checked.problems };
  const redacted = redact(checked.event);
  if (!redacted.ok) return { problems: redacted.problems };
  const { event } = redacted;
  const body = encodeEvent(event);
  if (body.length > limits.eventBytes) {
    return { problems: [{ field: '', message: `is ${body.length} bytes; at most ${limits.eventBytes} are allowed` }] };
  }
  // Without `data`: the event waits for the broker or the disk as these bytes alone.
  const { id, source, type, time } = event;
  return refusal(event, origin) ?? { id, source, type, time, body };
}

/** Of an event that names none. */
function timeOf({ id, source }: Record<string, unknown>, { firstTime, now }: Origin): string {
  return firstTime({ id: String(id), source: String(source) }, now);
}

/** What this key may not say, though the event is a good one. */
function refusal(event: WeirEvent, { key, now, mayName }: Origin): Enveloped | undefined {
  const because = (refused: RefusedAs, field: string, message: string) => ({ refused, problems: [{ field, message }] });
  if (kindOf(event.type)?.reserved) return because('forbidden', 'type', 'is reserved: only Weir itself sends it');
  if (!maySpeakFor(key, event.source)) {
    const allowed = [defaultSource(key), ...key.sources.map((prefix) => `${prefix}…`)].join(', ');
    return because('forbidden', 'source', `this key may only send as ${allowed}`);
  }
  const organization = organizationOf(event);
  if (!mayCountFor(key, organization)) {
    return because('forbidden', 'data.user', `this key may only send for ${key.organizations.join(', ')}`);
  }
  if (organization !== undefined && !mayName(key.name, organization, now)) {
    const message = 'one organization too many from this key in this hour (INGEST_KEY_ORGANIZATIONS)';
    return because('limited', 'data.user', message);
  }
  return undefined;
}

const WITH_DEPTH = new Set(['data', 'data_base64']);

/**
 * The attributes as CloudEvents 1.0.2 has them ("Type System", "JSON Event Format"): scalars, and null is absent. Only
 * `data` has a depth, and that is limited. A member `__proto__` would be data here and a trap for whoever copies it.
 */
function attributesOf(value: Record<string, unknown>): { attributes: Record<string, unknown>; problems: Problem[] } {
  const problems: Problem[] = [];
  let absent = false;
  for (const name in value) {
    const attribute = value[name];
    if (isAbsent(name, attribute)) absent = true;
    else if (typeof attribute === 'object' && !WITH_DEPTH.has(name)) {
      problems.push({ field: name.slice(0, 100), message: 'must be a text, number or boolean; objects go into data' });
      if (problems.length === 20) break;
    }
  }
  // Mostly nothing is absent, and a copy would take its time, as would the encoding of a copy.
  if (!absent) return { attributes: value, problems };
  const present = Object.entries(value).filter(([name, attribute]) => !isAbsent(name, attribute));
  return { attributes: Object.fromEntries(present), problems };
}

const isAbsent = (name: string, attribute: unknown): boolean =>
  attribute === null || attribute === undefined || name === '__proto__';

/**
 * A new UUIDv7, or, under an Idempotency-Key, a UUIDv8 (RFC 9562, 5.8: vendor-specific) that the same holder's same
 * Idempotency-Key gives again for the same place in the request.
 */
function idOf(index: number, { key, idempotencyKey }: Origin): string {
  if (idempotencyKey === undefined) return newId();
  const bytes = createHash('sha256')
    .update(JSON.stringify([key.name, idempotencyKey, index]))
    .digest();
  bytes[6] = 0x80 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function named(sentAs: Record<string, string>) {
  return (problem: Problem): Problem => ({ ...problem, field: sentAs[problem.field] ?? problem.field });
}
