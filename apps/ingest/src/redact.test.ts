import { createHmac } from 'node:crypto';
import { cloudEvent, LINES, ONE, sha256, startEdge, type TestEdge } from './edge.test-support';

// S50 and S51 of the reliability reference, part B: what others put into their events. Which names and texts it is about
// is tested in libs/events/src/redact.test.ts.

let edge: TestEdge;
beforeEach(async () => {
  edge = await startEdge({ keys: `test:${sha256('secret')},signer:${sha256('signer-secret')}:signed` });
});
afterEach(() => edge.close());

const published = () => JSON.stringify(edge.publisher.events);

/** What Distribution sends to its notification endpoints, in the envelope that ingest wants. */
const notification = {
  type: 'com.example.distribution.notification',
  data: {
    action: 'pull',
    target: { repository: 'a/b', url: 'https://me:hidden@registry.example/v2/a/b/manifests/sha256:0?token=hidden' },
    request: { addr: '192.0.2.7:54970', host: 'registry.example', method: 'GET', useragent: 'docker/27.1.1' },
    actor: { name: 'me' },
  },
};

test('a notification of Distribution is published without the address, password and token in it', async () => {
  expect(await edge.post(notification)).toMatchObject({ status: 202 });
  expect(edge.publisher.events).toMatchObject([
    {
      data: {
        action: 'pull',
        target: { url: 'https://[redacted]@registry.example/v2/a/b/manifests/sha256:0?token=[redacted]' },
        request: { host: 'registry.example', method: 'GET', useragent: 'docker/27.1.1' },
      },
    },
  ]);
  expect(published()).not.toMatch(/hidden|192\.0\.2\.7/);
});

test.each<[string, unknown, Record<string, string>]>([
  ['a CloudEvent', cloudEvent({ data: { repository: 'a/b', headers: { Authorization: ['Bearer hidden'] } } }), ONE],
  ['its extensions', cloudEvent({ authorization: 'Bearer hidden', clientip: '192.0.2.7' }), ONE],
  ['its subject', cloudEvent({ subject: 'https://me:hidden@example.com/a' }), ONE],
  ['binary mode', { repository: 'a/b', cookie: 'hidden' },
    { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-type': 'io.weir.pull', 'ce-source': '/a', 'ce-password': 'hidden' }],
  ["seed 003's flat shape", { category: 'download', type: 'file', resource_id: '7', user_id: '5', user_token: 'hidden', ip: '192.0.2.7' }, {}],
  ['a line', `${JSON.stringify(notification)}\n${JSON.stringify(cloudEvent({ data: { repository: 'a/b', api_key: 'hidden' } }))}`, LINES],
])('%s is published without them', async (_what, body, headers) => {
  expect(await edge.post(body, headers)).toMatchObject({ status: 202 });
  expect(edge.publisher.events.length).toBeGreaterThan(0);
  expect(published()).not.toMatch(/hidden|192\.0\.2\.7/);
}); // prettier-ignore

test('counting fields are those that were sent', async () => {
  const data = {
    repository: 'library/alpine', tag: '3.20', digest: `sha256:${'0'.repeat(64)}`, platform: 'linux/arm64/v8',
    user: { email: 'me@acme.example' }, client: { name: 'docker', version: '27.1.1' }, bytes: 3, fusion: true,
  }; // prettier-ignore
  await edge.post(cloudEvent({ data: { ...data, token: 'hidden' } }), ONE);
  expect(edge.publisher.events[0]?.data).toEqual({ ...data, token: '[redacted]' });
});

test('the same event sent twice is the same event, whether its id is its own or of an Idempotency-Key', async () => {
  const own = { ...notification, id: 'n1' };
  await edge.post(own);
  await edge.post(own);
  await edge.post(notification, { 'idempotency-key': 'k1' });
  await edge.post(notification, { 'idempotency-key': 'k1' });
  const [first, second, third, fourth] = edge.publisher.events;
  expect(second).toEqual(first);
  expect(fourth).toMatchObject({ id: third?.id, source: third?.source, data: third?.data });
  expect(third?.id).not.toBe(first?.id);
});

test('a signature is of what was sent, not of what is left of it', async () => {
  const body = JSON.stringify(notification);
  const [time, nonce] = [Math.floor(Date.now() / 1000), 'a'.repeat(32)];
  const signature = createHmac('sha256', Buffer.from(sha256('signer-secret'), 'hex')).update(`${time}\n${nonce}\n\n${body}`).digest('hex'); // prettier-ignore
  const authorization = `Weir-HMAC-SHA256 key=signer,timestamp=${time},nonce=${nonce},signature=${signature}`;
  expect(await edge.post(body, { authorization })).toMatchObject({ status: 202 });
  expect(published()).toContain('[redacted]');
  expect(published()).not.toContain('hidden');
});

test('a credential in the identity of an event is refused, and the answer does not repeat it', async () => {
  const reply = await edge.post(cloudEvent({ source: 'https://me:hidden@example.com' }), ONE);
  expect(reply).toMatchObject({ status: 400, json: { errors: [{ field: 'source' }] } });
  expect(reply.text).not.toContain('hidden');
  expect(edge.publisher.events).toEqual([]);
});

test('an event that would be too large with what stands for its credentials is refused', async () => {
  const many = Array.from({ length: 6000 }, () => ['://a@b']);
  const reply = await edge.post({ type: 'com.example.x', data: { many } });
  expect(reply).toMatchObject({ status: 400, json: { errors: [{ message: expect.stringContaining('at most 65536') as string }] } }); // prettier-ignore
});
