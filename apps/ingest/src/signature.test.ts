import { createHash, createHmac } from 'node:crypto';
import { CLOCK_SECONDS, createNonces, signedText } from './signature';
import { BATCH, cloudEvent, sha256, startEdge, type TestEdge } from './edge.test-support';

const KEYS = `sig:${sha256('sesame')}:signed:source=/ci/,plain:${sha256('secret')}`;

let edge: TestEdge;
beforeEach(async () => {
  edge = await startEdge({ keys: KEYS });
});
afterEach(() => edge.close());

const nowSeconds = () => Math.floor(Date.now() / 1000);
let made = 0;
const newNonce = () => `nonce-${String((made += 1)).padStart(16, '0')}`;

interface Signing {
  nonce?: string;
  timestamp?: number;
  secret?: string;
  key?: string;
  idempotencyKey?: string;
  /** What is signed in place of the body. */
  signedBody?: string;
}

/** As a client would: the secret of the signature is the SHA-256 of the key. */
function signed(body: string, options: Signing = {}): Record<string, string> {
  const { nonce = newNonce(), timestamp = nowSeconds(), secret = 'sesame', key = 'sig', idempotencyKey } = options;
  const text = signedText({ timestampSeconds: timestamp, nonce }, idempotencyKey) + (options.signedBody ?? body);
  const signature = createHmac('sha256', createHash('sha256').update(secret).digest()).update(text).digest('hex');
  const authorization = `Weir-HMAC-SHA256 key=${key}, timestamp=${timestamp}, nonce=${nonce}, signature=${signature}`;
  return { authorization, ...(idempotencyKey ? { 'idempotency-key': idempotencyKey } : {}) };
}

const BODY = JSON.stringify(cloudEvent());

describe('a request that its key has signed', () => {
  test('is taken, and what the key may not do it may not do signed either', async () => {
    expect(await edge.post(BODY, signed(BODY))).toMatchObject({ status: 202, json: { id: 'e1' } });
    const other = JSON.stringify(cloudEvent({ source: '/billing/' }));
    expect(await edge.post(other, signed(other))).toMatchObject({
      status: 403,
      json: { errors: [{ field: 'source' }] },
    });
  });

  test('is signed over its bytes as they are sent, not over what they mean', async () => {
    const spaced = JSON.stringify(cloudEvent(), undefined, 3);
    expect(await edge.post(spaced, signed(spaced))).toMatchObject({ status: 202 });
    expect(await edge.post(spaced, signed(spaced, { signedBody: BODY }))).toMatchObject({ status: 401 });
  });

  test.each<[string, string, Signing, RegExp]>([
    ['with one byte changed', BODY, { signedBody: BODY.replace('alpine', 'alpinf') }, /does not fit/],
    ['with another secret', BODY, { secret: 'sesamf' }, /does not fit/],
    ['in the name of another key', BODY, { key: 'plain' }, /with a key that INGEST_KEYS lists/],
    ['in the name of nobody', BODY, { key: 'nobody' }, /with a key that INGEST_KEYS lists/],
    ['too long ago', BODY, { timestamp: nowSeconds() - CLOCK_SECONDS - 2 }, /300 seconds off/],
    ['in the future', BODY, { timestamp: nowSeconds() + CLOCK_SECONDS + 30 }, /300 seconds off/],
    ['with a nonce that is too short', BODY, { nonce: 'short' }, /To sign a request, send/],
    ['with a nonce of other characters', BODY, { nonce: 'a'.repeat(20) + '"' }, /To sign a request, send/],
  ])('is refused %s', async (_what, body, options, detail) => {
    const reply = await edge.post(body, signed(body, options));
    expect(reply).toMatchObject({ status: 401, json: { detail: expect.stringMatching(detail) as string } });
    expect(edge.publisher.events).toEqual([]);
    expect(reply.text).not.toMatch(/sesame|[0-9a-f]{64}/);
  });

  test('is refused when it comes again', async () => {
    const headers = signed(BODY);
    expect(await edge.post(BODY, headers)).toMatchObject({ status: 202 });
    expect(await edge.post(BODY, headers)).toMatchObject({
      status: 401, json: { detail: expect.stringContaining('nonce was used before') as string },
    }); // prettier-ignore
    expect(edge.publisher.events).toHaveLength(1);
  });

  test('that was refused for its signature does not use the nonce up', async () => {
    const nonce = newNonce();
    await edge.post(BODY, signed(BODY, { nonce, secret: 'wrong' }));
    expect(await edge.post(BODY, signed(BODY, { nonce }))).toMatchObject({ status: 202 });
  });

  test('makes the same events on another instance: sent again there, nothing is counted twice', async () => {
    const batch = JSON.stringify([{ type: 'io.weir.view', data: {} }, { type: 'io.weir.pull', data: { repository: 'a' } }]); // prettier-ignore
    const headers = { ...BATCH, ...signed(batch, { timestamp: nowSeconds() - 100 }) };
    const other = await startEdge({ keys: KEYS });
    await edge.post(batch, headers);
    await other.post(batch, headers);
    expect(edge.publisher.events).toHaveLength(2);
    expect(other.publisher.events).toEqual(edge.publisher.events);
    await other.close();
  });

  test('has its Idempotency-Key signed too: the same one is the same event, another one breaks the signature', async () => {
    const bare = JSON.stringify({ type: 'io.weir.view', data: {} });
    const send = () => edge.post(bare, signed(bare, { idempotencyKey: 'once' }));
    const [first, second] = [await send(), await send()];
    expect(second.json['id']).toBe(first.json['id']);
    const changed = { ...signed(bare, { idempotencyKey: 'once' }), 'idempotency-key': 'twice' };
    expect(await edge.post(bare, changed)).toMatchObject({ status: 401 });
    const removed = { authorization: signed(bare, { idempotencyKey: 'once' })['authorization'] ?? '' };
    expect(await edge.post(bare, removed)).toMatchObject({ status: 401 });
  });

  test('cannot have its attributes in headers, which nobody has signed', async () => {
    const data = JSON.stringify({ repository: 'a' });
    const attributes = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/ci/', 'ce-type': 'io.weir.pull' };
    expect(await edge.post(data, { ...signed(data), ...attributes })).toMatchObject({ status: 400 });
  });

  test('is the only one that such a key makes: the key itself is refused', async () => {
    const reply = await edge.post(BODY, { authorization: 'Bearer sesame' });
    expect(reply).toMatchObject({ status: 401, json: { title: 'The key must sign' } });
    expect(reply.headers.get('www-authenticate')).toContain('Weir-HMAC-SHA256');
  });

  test('has to wait when more came than can be remembered: forgetting would let one in twice', async () => {
    const small = await startEdge({ keys: KEYS, nonces: 2 });
    await small.post(BODY, signed(BODY));
    await small.post(BODY, signed(BODY));
    const reply = await small.post(BODY, signed(BODY));
    expect(reply.status).toBe(429);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    await small.close();
  });
});

test('a nonce is remembered as long as its request could be in time, and not for ever', () => {
  const nonces = createNonces(10);
  const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000);
  expect(nonces('a', 'n1', at(0))).toBe('new');
  expect(nonces('a', 'n2', at(599))).toBe('new');
  expect(nonces('b', 'n1', at(599))).toBe('new');
  expect(nonces('a', 'n1', at(600))).toBe('seen');
  expect(nonces('a', 'n2', at(1199))).toBe('seen');
  expect(nonces('a', 'n1', at(1200))).toBe('new');
  expect(nonces('a', 'n2', at(5000))).toBe('new');
});
