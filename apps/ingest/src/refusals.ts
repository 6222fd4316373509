import type { ProblemDocument } from '@weir/service';
import { MEDIA_TYPES } from './items';
import type { Refused } from './keys';
import type { Wait } from './quota';
import { CLOCK_SECONDS } from './signature';
import type { SignatureProblem } from './signature';

// What a request is told that gets no further than its head, or its signature.

export const METHOD_NOT_ALLOWED: ProblemDocument = {
  status: 405,
  title: 'Method not allowed',
  detail: `Events are posted here, as ${MEDIA_TYPES.join(', ')}`,
  headers: { allow: 'POST', 'accept-post': MEDIA_TYPES.join(', ') },
};

const HOW = 'send Authorization: Bearer <key>, with a key that INGEST_KEYS lists';
const HOW_SIGNED =
  'send Authorization: Weir-HMAC-SHA256 key=<name>,timestamp=<Unix seconds>,nonce=<16 to 64 letters, digits, . _ ~ ->,' +
  'signature=<64 hex digits>';
const BEARER = { 'www-authenticate': 'Bearer realm="weir ingest"' };
const HMAC = { 'www-authenticate': 'Weir-HMAC-SHA256 realm="weir ingest"' };

const NOT_LET_IN: Readonly<Record<Refused, ProblemDocument>> = {
  missing: { status: 401, title: 'A key is missing', detail: `To post events, ${HOW}`, headers: BEARER },
  unknown: { status: 401, title: 'The key is not known', detail: `To post events, ${HOW}`, headers: BEARER },
  expired: { status: 401, title: 'The key has expired', detail: 'Ask for a new key: this one has an until= in INGEST_KEYS', headers: BEARER },
  unsigned: { status: 401, title: 'The key must sign', detail: `This key must never be sent: ${HOW_SIGNED}`, headers: HMAC },
  signature: { status: 401, title: 'The signature is malformed', detail: `To sign a request, ${HOW_SIGNED}`, headers: HMAC },
  certificate: { status: 403, title: 'Not allowed without the right certificate', detail: 'The key is bound to a client certificate with another name: connect over TLS with the one that the certificate= of the key names' },
  scope: { status: 403, title: 'Not allowed with this key', detail: 'The key lacks the scope ingest' },
}; // prettier-ignore

export function notLetIn(refused: Refused): ProblemDocument {
  return NOT_LET_IN[refused];
}

const WRONG_SIGNATURE: Readonly<Record<SignatureProblem, string>> = {
  signature: 'The signature does not fit the request: it is HMAC-SHA256, with the SHA-256 of the key as its secret, over timestamp, nonce and Idempotency-Key, each followed by a newline, and the body as it is sent', // prettier-ignore
  clock: `The timestamp is more than ${CLOCK_SECONDS} seconds off: check the clock, and sign each request when it is sent`,
  replay: 'The nonce was used before: sign each request, and each repetition of one, with a nonce of its own',
  'binary mode': 'Attributes in ce- headers are not signed: send the event in structured mode',
  full: 'More signed requests came from this key in ten minutes than can be remembered: send more events in one request', // prettier-ignore
};

/** How long a client waits that has signed more requests than are remembered, seconds. */
const NONCE_RETRY_SECONDS = 60;

export function wrongSignature(problem: SignatureProblem): ProblemDocument {
  const detail = WRONG_SIGNATURE[problem];
  if (problem === 'full') return tooMuch({ seconds: NONCE_RETRY_SECONDS, limit: detail });
  if (problem === 'binary mode') return { status: 400, title: 'Not a valid request', detail };
  return { status: 401, title: 'The signature is refused', detail, headers: HMAC };
}

export function tooMuch({ seconds, limit }: Wait): ProblemDocument {
  return {
    status: 429,
    title: 'Too much from this key',
    detail: `Nothing of the request was taken: ${limit}. Send it again after Retry-After.`,
    headers: { 'retry-after': String(seconds) },
  };
}
