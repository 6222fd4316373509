import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * What a request signed by its key says in its head:
 *
 *   Authorization: Weir-HMAC-SHA256 key=<name>,timestamp=<Unix seconds>,nonce=<16 to 64 characters>,signature=<64 hex>
 *
 * The signature is HMAC-SHA256 over {@link signedText}, with the SHA-256 of the key as its secret (what INGEST_KEYS
 * has): the key itself never travels, and whoever reads one request can send it again but cannot make another.
 */
export interface Signature {
  key: string;
  timestampSeconds: number;
  nonce: string;
  digest: Buffer;
}

/** How far the clock of a client that signs may be off, and how long its request is good for, seconds. */
export const CLOCK_SECONDS = 300;

const SCHEME = /^Weir-HMAC-SHA256 +/i;
const PARTS: Readonly<Record<string, RegExp>> = {
  key: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  timestamp: /^\d{1,11}$/,
  nonce: /^[A-Za-z0-9._~-]{16,64}$/,
  signature: /^[0-9a-f]{64}$/i,
};

/** Undefined for another scheme than ours. */
export function parseSignature(authorization: string | undefined): Signature | 'malformed' | undefined {
  if (authorization === undefined || !SCHEME.test(authorization)) return undefined;
  const found = new Map<string, string>();
  for (const part of authorization.replace(SCHEME, '').split(',', 5)) {
    const [, name = '', value = ''] = /^\s*([a-z]+)=(\S*)\s*$/.exec(part) ?? [];
    if (found.has(name) || !Object.hasOwn(PARTS, name) || !PARTS[name]?.test(value)) return 'malformed';
    found.set(name, value);
  }
  const [key, timestamp, nonce, signature] = Object.keys(PARTS).map((name) => found.get(name));
  if (!key || !timestamp || !nonce || !signature) return 'malformed';
  return { key, timestampSeconds: Number(timestamp), nonce, digest: Buffer.from(signature, 'hex') };
}

/**
 * What is signed: timestamp, nonce and Idempotency-Key (empty where there is none), each on a line of its own, then
 * the body, byte by byte as it is sent. Nothing else of a signed request has a meaning for its events.
 */
export function signedText(signature: Pick<Signature, 'timestampSeconds' | 'nonce'>, idempotencyKey = ''): string {
  return `${signature.timestampSeconds}\n${signature.nonce}\n${idempotencyKey}\n`;
}

/** What is wrong with a signed request; `full` says that no more requests of this key can be remembered now. */
export type SignatureProblem = 'clock' | 'signature' | 'binary mode' | 'replay' | 'full';

export interface SignedRequest {
  key: { name: string; digest: Buffer };
  signature: Signature;
  headers: IncomingHttpHeaders;
  idempotencyKey: string | undefined;
  body: Buffer;
  now: Date;
}

/** Holds a request against its signature; a good one is remembered, so that it is good once. */
export function signatureProblem(request: SignedRequest, nonces: Nonces): SignatureProblem | undefined {
  const { key, signature, headers, idempotencyKey, body, now } = request;
  // Compared first: whoever has no secret learns nothing else.
  const text = signedText(signature, idempotencyKey);
  const wanted = createHmac('sha256', key.digest).update(text).update(body).digest();
  if (!timingSafeEqual(wanted, signature.digest)) return 'signature';
  if (Math.abs(now.getTime() / 1000 - signature.timestampSeconds) > CLOCK_SECONDS) return 'clock';
  if (headers['ce-specversion'] !== undefined) return 'binary mode';
  const remembered = nonces(key.name, signature.nonce, now);
  if (remembered === 'new') return undefined;
  return remembered === 'seen' ? 'replay' : 'full';
}

/** Remembers who has used which nonce: `seen` for a request that is sent again, `full` when no more can be remembered. */
export type Nonces = (key: string, nonce: string, now: Date) => 'new' | 'seen' | 'full';

/** A nonce is worth remembering as long as its request could still be in time, early and late clocks together. */
const GENERATION_MS = 2 * CLOCK_SECONDS * 1000;

/**
 * Remembers nonces for at least ten minutes, in two generations that take turns. Only what carries a good signature
 * gets here, so that nobody else can fill it; and a full memory refuses, for forgetting would let a request in twice.
 * It is this process's: after a restart, or on another instance, a request may come again, and does no harm, because
 * a signed request gives its events the same identity and time whenever it comes.
 */
export function createNonces(perKey: number): Nonces {
  const generations = new Map<string, { since: number; current: Set<string>; previous: Set<string> }>();
  return (key, nonce, now) => {
    const at = now.getTime();
    const known = generations.get(key) ?? { since: at, current: new Set<string>(), previous: new Set<string>() };
    generations.set(key, known);
    if (at - known.since >= GENERATION_MS) {
      known.previous = at - known.since >= 2 * GENERATION_MS ? new Set() : known.current;
      known.current = new Set();
      known.since = at;
    }
    if (known.current.has(nonce) || known.previous.has(nonce)) return 'seen';
    if (known.current.size + known.previous.size >= perKey) return 'full';
    known.current.add(nonce);
    return 'new';
  };
}
