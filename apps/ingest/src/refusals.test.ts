import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { limits } from '@weir/events';
import { boundedServer, drain } from './server';
import { BATCH, cloudEvent, LINES, LIMITS, ONE, startEdge, type TestEdge } from './edge.test-support';

let edge: TestEdge;
const post: TestEdge['post'] = (...request) => edge.post(...request);

beforeEach(async () => {
  edge = await startEdge();
});
afterEach(() => edge.close());

describe('what is not an event', () => {
  test.each<[string, unknown, string, string]>([
    ['malformed JSON', '{"type": "io.weir.pull",', '', 'is not JSON'],
    ['no JSON at all', 'hello', '', 'is not JSON'],
    ['nothing', '', '', 'is not JSON'],
    ['a number', '7', '', 'must be a JSON object'],
    ['an empty object', '{}', 'type', 'is missing'],
    ['data that is a text', { type: 'io.weir.pull', data: 'x' }, 'data', 'expected object'],
    ['a number as type', { type: 7, data: {} }, 'type', 'expected string'],
    ['an id of an object', cloudEvent({ id: { $ne: 1 } }), 'id', 'must be a text'],
    ['another version', cloudEvent({ specversion: '2.0' }), 'specversion', '1.0'],
    ['a time ahead', cloudEvent({ time: '2199-01-01T00:00:00Z' }), 'time', '24 hours ahead'],
    ['deep data', cloudEvent({ data: JSON.parse('{"a":'.repeat(40) + '1' + '}'.repeat(40)) as unknown }), 'data', 'nested deeper'],
    ['very deep data', `{"type":"x","data":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`, 'data', 'nested deeper'],
    ['a very deep attribute', `{"type":"x","data":{},"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'a', 'must be a text'],
    ['an event over the limit', cloudEvent({ data: { repository: 'a', note: 'x'.repeat(limits.eventBytes) } }), '', 'at most 65536'],
    ['a flat event with a wrong size', { category: 'download', size: 'big' }, 'size', 'number'],
    ['a flat event with a wrong time', { category: 'download', created: 'then' }, 'created', 'epoch'],
    ['binary data', cloudEvent({ data: undefined, data_base64: 'AAAA' }), 'data_base64', 'not taken'],
  ])('is refused by its field: %s', async (_what, body, field, message) => {
    const reply = await post(body);
    expect(reply.status).toBe(400);
    expect(reply.json.errors).toContainEqual({ field, message: expect.stringContaining(message) as string });
    expect(reply.text).not.toMatch(/\bat .*\.ts|node_modules/);
  }); // prettier-ignore

  test('gives no 400 as a batch or a line either when it is empty or of the wrong kind, but says what to send', async () => {
    expect(await post('[]', BATCH)).toMatchObject({ status: 400, json: { detail: expect.stringContaining('empty') as string } });
    expect(await post('\n \n', LINES)).toMatchObject({ status: 400 });
    expect(await post(cloudEvent(), BATCH)).toMatchObject({ status: 400, json: { detail: expect.stringContaining('application/cloudevents+json') as string } });
    expect(await post([cloudEvent()], ONE)).toMatchObject({ status: 400, json: { detail: expect.stringContaining('batch+json') as string } });
  }); // prettier-ignore

  test('harms nothing: __proto__, constructor and duplicate keys are data or nothing', async () => {
    const reply = await post(
      '{"__proto__":{"polluted":1},"type":"com.example.x","type":"com.example.y",' +
        '"data":{"constructor":{"prototype":{"polluted":1}},"__proto__":{"polluted":1},"n":1e400,"s":"\\ud800"}}',
    );
    expect(reply.status).toBe(202);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(edge.publisher.events).toMatchObject([{ type: 'com.example.y' }]);
    const [event] = edge.publisher.events;
    expect(Object.hasOwn(event ?? {}, '__proto__')).toBe(false);
  });
});

describe('the limits of a request', () => {
  test('more events than allowed are too many', async () => {
    const view = { type: 'io.weir.view', data: {} };
    expect(await post(Array.from({ length: 1001 }, () => view))).toMatchObject({ status: 413 });
    expect(await post(Array.from({ length: 1001 }, () => JSON.stringify(view)).join('\n'), LINES)).toMatchObject({
      status: 413,
    });
    expect(await post(Array.from({ length: 1000 }, () => view))).toMatchObject({
      status: 202,
      json: { accepted: 1000 },
    });
  });

  test('a body of 2 MB is refused, and the client that is still sending gets to read why', async () => {
    const reply = await post(cloudEvent({ data: { repository: 'x'.repeat(2_000_000) } }));
    expect(reply).toMatchObject({ status: 413, json: { detail: expect.stringContaining('262144 bytes') as string } });
  });

  test('a body too large by its Content-Length is refused before a byte of it is sent', async () => {
    const { port } = edge;
    const sending = httpRequest({ port, path: '/events', method: 'POST', headers: {
      authorization: 'Bearer secret', 'content-type': 'application/json', 'content-length': 100 * 1024 * 1024,
    } }); // prettier-ignore
    sending.flushHeaders();
    const [response] = (await once(sending, 'response')) as [{ statusCode: number }];
    expect(response.statusCode).toBe(413);
    sending.destroy();
  });

  test('a chunked body is refused at the byte that is too many', async () => {
    const { port } = edge;
    const sending = httpRequest({ port, path: '/events', method: 'POST', headers: {
      authorization: 'Bearer secret', 'content-type': 'application/json', 'transfer-encoding': 'chunked',
    } }); // prettier-ignore
    sending.write(Buffer.alloc(LIMITS.bodyBytes + 1, 0x20));
    const [response] = (await once(sending, 'response')) as [{ statusCode: number }];
    expect(response.statusCode).toBe(413);
    sending.destroy();
  });

  test.each(['gzip', 'deflate', 'br', 'gzip, gzip', 'zstd'])(
    'a body in Content-Encoding %s is refused',
    async (encoding) => {
      expect(await post(cloudEvent(), { 'content-encoding': encoding })).toMatchObject({ status: 415 });
    },
  );

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/json; charset=utf-16',
    'constructor',
  ])('a body of %s is refused', async (type) => {
    const reply = await post(JSON.stringify(cloudEvent()), { 'content-type': type });
    expect(reply.status).toBe(415);
    expect(reply.headers.get('accept-post')).toContain('application/cloudevents+json');
  });

  test('a client that never finishes its request is cut off', async () => {
    const quick = boundedServer(() => {}, { connections: 5, requestTimeoutMs: 100 }).listen(0, '127.0.0.1');
    await once(quick, 'listening');
    const socket = connect((quick.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST /events HTTP/1.1\r\nHost: x\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 408/);
    socket.destroy();
    await drain(quick);
  });

  test.each(['', 'a b', 'x'.repeat(256), 'é'])('an Idempotency-Key of %j is refused', async (key) => {
    const reply = await post(cloudEvent(), { 'idempotency-key': key === 'é' ? '\u00e9' : key });
    expect(reply.status).toBe(400);
  });
});

describe('the resource', () => {
  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('does not know %s', async (method) => {
    const reply = await post(undefined, { origin: 'https://evil.example' }, method);
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toBe('POST');
    expect([...reply.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test.each(['/', '/event', '/events/1', '/%zz', '/EVENTS%00'])('is not at %s', async (path) => {
    const response = await fetch(new URL(path, edge.url), { method: 'POST' });
    expect([400, 404]).toContain(response.status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('x-powered-by')).toBeNull();
  });

  test('counts requests by status and events by key and result', async () => {
    await post([cloudEvent(), { type: 'x' }]);
    await post(cloudEvent(), { authorization: 'Bearer wrong' });
    const text = await edge.metrics.metrics();
    expect(text).toContain('weir_ingest_requests_total{status="202"} 1');
    expect(text).toContain('weir_ingest_requests_total{status="401"} 1');
    expect(text).toContain('weir_ingest_events_total{key="test",result="confirmed"} 1');
    expect(text).toContain('weir_ingest_events_total{key="test",result="refused"} 1');
  });

  test('finishes the requests in flight when the server drains, and takes no new one', async () => {
    let finish: () => void = () => {};
    const held = new Promise<void>((resolve) => (finish = resolve));
    const original = edge.publisher.publishEncoded.bind(edge.publisher);
    edge.publisher.publishEncoded = async (events) => (await held, original(events));
    const inFlight = post(cloudEvent());
    await once(edge.server, 'request');
    const drained = drain(edge.server);
    await expect(post(cloudEvent())).rejects.toThrow('fetch failed');
    finish();
    expect((await inFlight).status).toBe(202);
    await drained;
  });
});
