import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { organizationOf } from '@weir/events';
import { parseSignature } from './signature';
import type { Signature } from './signature';

/** Who may post: one entry of INGEST_KEYS. The key itself is never kept, only its SHA-256. */
export interface ApiKey {
  /** Names the key's holder in metrics and in the default source, `/ingest/<name>`. */
  name: string;
  /** SHA-256 of the key, 32 bytes. For a key that signs it is the secret of its signatures. */
  digest: Buffer;
  /** What the key may do; an empty list means everything. */
  scopes: readonly string[];
  /** Prefixes of the sources that the key may speak for; an empty list means every source. */
  sources: readonly string[];
  /** Canonical names of the organizations that its events may count for; an empty list means every one. */
  organizations: readonly string[];
  /** The key never travels: every request carries a signature instead. */
  signed: boolean;
  /** A DNS name that the client's certificate must carry; undefined where none is asked for. */
  certificate: string | undefined;
  /** The last UTC day on which the key is taken, `YYYY-MM-DD`. */
  lastDay: string | undefined;
  /** Its own limit in place of the one for all keys. */
  eventsPerSecond: number | undefined;
}

/** The scope that POST /events asks for. */
export const INGEST_SCOPE = 'ingest';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const SHA256_HEX = /^[0-9a-f]{64}$/i;
const SCOPE = /^[a-z][a-z0-9.-]{0,63}$/;
const DNS_NAME = /^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/i;
const SIGNED = 'signed';

type Draft = { -readonly [Field in keyof ApiKey]: ApiKey[Field] extends readonly string[] ? string[] : ApiKey[Field] };

/** What an entry may say with `=`; each sets what it means, or says what is wrong. */
const TERMS: Readonly<Record<string, (value: string, key: Draft) => string | undefined>> = {
  source(prefix, { sources }) {
    if (prefix === '') return 'source= needs a prefix, such as source=/ci/';
    return void sources.push(prefix);
  },
  organization(text, { organizations }) {
    const name = organizationOf({ data: { user: { organization: text } } });
    if (name === undefined) return 'organization= needs a name of at most 253 characters, such as example.com';
    return void organizations.push(name);
  },
  certificate(name, key) {
    if (!DNS_NAME.test(name) || name.length > 253) return 'certificate= needs a DNS name, such as ci.example.com';
    key.certificate = name;
    return undefined;
  },
  until(day, key) {
    if (!/^\d{4}-\d\d-\d\d$/.test(day) || utcDayOf(new Date(`${day}T00:00:00Z`)) !== day) {
      return 'until= needs the last day of the key, such as until=2027-01-31';
    }
    key.lastDay = day;
    return undefined;
  },
  rate(text, key) {
    if (!/^[1-9]\d{0,6}$/.test(text)) return 'rate= needs a number of events a second, 1 to 9999999';
    key.eventsPerSecond = Number(text);
    return undefined;
  },
};

const TERM_NAMES = Object.keys(TERMS)
  .map((name) => `${name}=`)
  .join(', ');

/**
 * Reads INGEST_KEYS: a comma list of `name:sha256hex[:scope…]`. A scope is a word (`ingest`), `signed`, or a term of
 * {@link TERMS} such as `source=<prefix>` (`:` and `,` in a value are written `%3A` and `%2C`).
 * Reports every mistake, and never repeats a digest: it may be a key that was put there unhashed.
 */
export function parseKeys(text: string): { keys: ApiKey[]; mistakes: string[] } {
  const mistakes: string[] = [];
  const keys: ApiKey[] = [];
  const entries = text.split(',').map((entry) => entry.trim());
  for (const [index, entry] of entries.filter((each) => each !== '').entries()) {
    const [name = '', digest = '', ...rest] = entry.split(':');
    const say = (what: string) => mistakes.push(`entry ${index + 1}${NAME.test(name) ? ` (${name})` : ''}: ${what}`);

    if (!NAME.test(name)) say('the name must be 1 to 64 letters, digits, dots, dashes or underscores');
    else if (keys.some((key) => key.name === name)) say('the name is there twice');
    if (!SHA256_HEX.test(digest)) {
      say('after the name comes the key\'s SHA-256 in 64 hex digits: printf %s "$KEY" | sha256sum');
    }
    const key: Draft = {
      name, digest: Buffer.from(digest, 'hex'), scopes: [], sources: [], organizations: [],
      signed: false, certificate: undefined, lastDay: undefined, eventsPerSecond: undefined,
    }; // prettier-ignore
    for (const part of rest) {
      const wrong = addPart(part, key);
      if (wrong !== undefined) say(wrong);
    }
    keys.push(key);
  }
  if (keys.length === 0) mistakes.push('at least one key is needed: name:sha256hex, see the documentation of the API');
  return { keys, mistakes };
}

/** One part of an entry behind the digest; gives back what is wrong with it. */
function addPart(part: string, key: Draft): string | undefined {
  const [name = '', ...values] = part.split('=');
  const term = values.length > 0 && Object.hasOwn(TERMS, name) ? TERMS[name] : undefined;
  if (term) return term(decode(values.join('=')), key);
  if (!SCOPE.test(part)) return `a scope is a lower-case word, or one of ${TERM_NAMES}`;
  if (part === SIGNED) key.signed = true;
  else key.scopes.push(part);
  return undefined;
}

/** Why a request is not let in. */
export type Refused = 'missing' | 'unknown' | 'expired' | 'scope' | 'unsigned' | 'signature' | 'certificate';

/** What a request's credentials come to. A signature is still to be held against the body. */
export type Caller = { key: ApiKey; signature?: Signature } | { refused: Refused };

export interface Credentials {
  headers: IncomingHttpHeaders;
  /** Whether the client has proved (mutual TLS) to be the owner of a certificate with this DNS name. */
  hasCertificate(name: string): boolean;
  now: Date;
}

/**
 * Finds the key of a request: `Authorization: Bearer <key>`, `API-KEY: <key>` as seed 003's notifiers send it, or
 * `Authorization: Weir-HMAC-SHA256 …` for a key that signs.
 */
export function callerOf({ headers, hasCertificate, now }: Credentials, keys: readonly ApiKey[]): Caller {
  const found = holderOf(headers, keys);
  if ('refused' in found) return found;
  const { key } = found;
  if (key.lastDay !== undefined && utcDayOf(now) > key.lastDay) return { refused: 'expired' };
  if (key.certificate !== undefined && !hasCertificate(key.certificate)) return { refused: 'certificate' };
  if (key.scopes.length > 0 && !key.scopes.includes(INGEST_SCOPE)) return { refused: 'scope' };
  return found;
}

function holderOf(headers: IncomingHttpHeaders, keys: readonly ApiKey[]): Caller {
  const signature = parseSignature(headers.authorization);
  if (signature === 'malformed') return { refused: 'signature' };
  if (signature) {
    const key = keys.find(({ name, signed }) => signed && name === signature.key);
    return key ? { key, signature } : { refused: 'unknown' };
  }
  const presented = presentedKey(headers);
  if (presented === undefined) return { refused: 'missing' };
  const digest = createHash('sha256').update(presented).digest();
  let key: ApiKey | undefined;
  // Every key is compared, all in constant time: how long a refusal takes says nothing about the keys.
  for (const candidate of keys) if (timingSafeEqual(digest, candidate.digest)) key = candidate;
  if (!key) return { refused: 'unknown' };
  return key.signed ? { refused: 'unsigned' } : { key };
}

/** Whether the key may speak for a source. Its own default source it always may. */
export function maySpeakFor(key: ApiKey, source: string): boolean {
  return (
    key.sources.length === 0 ||
    source === defaultSource(key) ||
    key.sources.some((prefix) => source.startsWith(prefix) && !climbs(source))
  );
}

/** Whether the key's events may count for an organization, given by its canonical name; for none they always may. */
export function mayCountFor(key: ApiKey, organization: string | undefined): boolean {
  return organization === undefined || key.organizations.length === 0 || key.organizations.includes(organization);
}

/** The source of events that name none. */
export function defaultSource(key: ApiKey): string {
  return `/ingest/${key.name}`;
}

function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (headers.authorization !== undefined) return bearer;
  const old = headers['api-key'];
  return typeof old === 'string' && old !== '' ? old : undefined;
}

/** `/ci/../billing` starts with `/ci/`, but whoever resolves it as a URI reference reads another source. */
function climbs(source: string): boolean {
  return decode(source).split(/[/\\]/).includes('..');
}

function utcDayOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 10);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
