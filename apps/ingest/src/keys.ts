import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Who may post: one entry of INGEST_KEYS. The key itself is never kept, only its SHA-256. */
export interface ApiKey {
  /** Names the key's holder in metrics and in the default source, `/ingest/<name>`. */
  name: string;
  /** SHA-256 of the key, 32 bytes. */
  digest: Buffer;
  /** What the key may do; an empty list means everything. */
  scopes: readonly string[];
  /** Prefixes of the sources that the key may speak for; an empty list means every source. */
  sources: readonly string[];
}

/** The scope that POST /events asks for. */
export const INGEST_SCOPE = 'ingest';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const SHA256_HEX = /^[0-9a-f]{64}$/i;
const SCOPE = /^[a-z][a-z0-9.-]{0,63}$/;
const SOURCE = 'source=';

/**
 * Reads INGEST_KEYS: a comma list of `name:sha256hex[:scope…]`. A scope is a word (`ingest`) or `source=<prefix>`,
 * which limits the sources that the key may speak for (`:` and `,` in a prefix are written `%3A` and `%2C`).
 * Reports every mistake, and never repeats a digest: it may be a key that was put there unhashed.
 */
export function parseKeys(text: string): { keys: ApiKey[]; mistakes: string[] } {
  const mistakes: string[] = [];
  const keys: ApiKey[] = [];
  const entries = text.split(',').map((entry) => entry.trim());
  for (const [index, entry] of entries.filter((each) => each !== '').entries()) {
    const [name = '', digest = '', ...rest] = entry.split(':');
    const say = (what: string) => mistakes.push(`entry ${index + 1}${NAME.test(name) ? ` (${name})` : ''}: ${what}`);
    const words = rest.filter((scope) => !scope.startsWith(SOURCE));
    const sources = rest.filter((scope) => scope.startsWith(SOURCE)).map((scope) => decode(scope.slice(SOURCE.length)));

    if (!NAME.test(name)) say('the name must be 1 to 64 letters, digits, dots, dashes or underscores');
    else if (keys.some((key) => key.name === name)) say('the name is there twice');
    if (!SHA256_HEX.test(digest)) {
      say('after the name comes the key\'s SHA-256 in 64 hex digits: printf %s "$KEY" | sha256sum');
    }
    for (const word of words) if (!SCOPE.test(word)) say('a scope is a lower-case word or source=<prefix>');
    if (sources.includes('')) say('source= needs a prefix, such as source=/ci/');
    keys.push({ name, digest: Buffer.from(digest, 'hex'), scopes: words, sources });
  }
  if (keys.length === 0) mistakes.push('at least one key is needed: name:sha256hex, see the documentation of the API');
  return { keys, mistakes };
}

/** What a request's credentials come to. */
export type Caller = { key: ApiKey } | { refused: 'missing' | 'unknown' | 'scope' };

/** Finds the key of a request: `Authorization: Bearer <key>`, or `API-KEY: <key>` as seed 003's notifiers send it. */
export function callerOf(headers: IncomingHttpHeaders, keys: readonly ApiKey[]): Caller {
  const presented = presentedKey(headers);
  if (presented === undefined) return { refused: 'missing' };
  const digest = createHash('sha256').update(presented).digest();
  let key: ApiKey | undefined;
  // Every key is compared, all in constant time: how long a refusal takes says nothing about the keys.
  for (const candidate of keys) if (timingSafeEqual(digest, candidate.digest)) key = candidate;
  if (!key) return { refused: 'unknown' };
  if (key.scopes.length > 0 && !key.scopes.includes(INGEST_SCOPE)) return { refused: 'scope' };
  return { key };
}

/** Whether the key may speak for a source. Its own default source it always may. */
export function maySpeakFor(key: ApiKey, source: string): boolean {
  return (
    key.sources.length === 0 ||
    source === defaultSource(key) ||
    key.sources.some((prefix) => source.startsWith(prefix) && !climbs(source))
  );
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

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
