import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { limits } from '@weir/events';
import pino from 'pino';
import { Registry } from 'prom-client';
import { parseKeys } from './keys';
import { ingestMetrics } from './metrics';
import { publisherDouble, spoolFull, type PublisherDouble } from './publisher-double';
import { ingestRoutes } from './routes';
import { boundedServer, drain } from './server';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const KEYS = `test:${sha256('secret')},ci:${sha256('ci-secret')}:ingest:source=/ci/,builds:${sha256('other')}:builds`;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const cloudEvent = (more: object = {}) => ({
  specversion: '1.0', id: 'e1', source: '/ci/1', type: 'io.weir.pull', time: '2026-11-23T06:54:00Z',
  data: { repository: 'library/alpine' }, ...more,
}); // prettier-ignore

let publisher: PublisherDouble;
let server: Server;
let metrics: Registry;
let url: string;

beforeEach(async () => {
  publisher = publisherDouble();
  metrics = new Registry();
  const routes = ingestRoutes({
    keys: parseKeys(KEYS).keys,
    limits: { bodyBytes: 256 * 1024, events: 1000 },
    publisher,
    metrics: ingestMetrics(metrics),
    log: pino({ level: 'silent' }),
  });
  server = boundedServer(routes, { connections: 50, requestTimeoutMs: 5000 }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
});

afterEach(async () => {
  server.closeAllConnections();
  await drain(server);
});

interface Reply {
  status: number;
  headers: Headers;
  json: Record<string, unknown> & {
    results?: Record<string, unknown>[];
    errors?: { field: string; message: string }[];
  };
  text: string;
}

async function post(body: unknown, headers: Record<string, string> = {}, method = 'POST'): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: { authorization: 'Bearer secret', 'content-type': 'application/json', ...headers },
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text ? (JSON.parse(text) as Reply['json']) : {},
  };
}

const BATCH = { 'content-type': 'application/cloudevents-batch+json' };
const ONE = { 'content-type': 'application/cloudevents+json' };
const LINES = { 'content-type': 'application/x-ndjson' };

describe('one event', () => {
  test('is taken as it is, with its time in UTC', async () => {
    const reply = await post(cloudEvent({ time: '2026-11-23T07:54:00+01:00', traceparent: '00-a-b-01' }), ONE);
    expect(reply).toMatchObject({ status: 202, json: { id: 'e1', source: '/ci/1', status: 'confirmed' } });
    expect(publisher.events).toEqual([cloudEvent({ time: '2026-11-23T06:54:00.000Z', traceparent: '00-a-b-01' })]);
  });

  test('says when it was spooled', async () => {
    publisher.answer(() => 'spooled');
    expect(await post(cloudEvent())).toMatchObject({ status: 202, json: { status: 'spooled' } });
  });

  test('gets an envelope when it is bare, and the answer tells its identity', async () => {
    const before = Date.now();
    const reply = await post({ type: 'io.weir.pull', data: { repository: 'a/b' } });
    expect(reply).toMatchObject({ status: 202, json: { source: '/ingest/test', status: 'confirmed' } });
    expect(UUID.exec(String(reply.json['id']))?.[1]).toBe('7');
    const [event] = publisher.events;
    expect(event).toMatchObject({
      specversion: '1.0',
      id: reply.json['id'],
      source: '/ingest/test',
      type: 'io.weir.pull',
    });
    expect(Date.parse(String(event?.time))).toBeGreaterThanOrEqual(before);
  });

  test("may be called by the catalogue's name when it is bare", async () => {
    await post({ type: 'build.finished', data: { repository: 'a/b', outcome: 'failed' } });
    expect(publisher.events).toMatchObject([{ type: 'io.weir.build.finished' }]);
  });

  test("may have seed 003's flat shape, sent with its API-KEY header", async () => {
    const flat = {
      category: 'download',
      type: 'file',
      created: 1544177400123,
      resource_id: '7',
      size: 3,
      user_id: '5',
    };
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'API-KEY': 'secret', 'content-type': 'application/json' },
      body: JSON.stringify(flat),
    });
    expect(response.status).toBe(202);
    expect(publisher.events).toMatchObject([
      { type: 'io.weir.download', time: '2018-12-07T10:10:00.123Z', data: { bytes: 3, user: { id: '5' } } },
    ]);
  });

  test('may come in binary mode, attributes in ce- headers', async () => {
    const attributes = {
      'ce-specversion': '1.0',
      'ce-id': 'b1',
      'ce-type': 'io.weir.pull',
      'ce-source': '/caf%C3%A9',
      'ce-trace': 't',
    };
    const reply = await post({ repository: 'a/b' }, attributes);
    expect(reply).toMatchObject({ status: 202, json: { id: 'b1', source: '/café' } });
    expect(publisher.events).toMatchObject([{ trace: 't', data: { repository: 'a/b' } }]);
  });

  test('of an unknown type is welcome', async () => {
    expect(await post({ type: 'com.example.tea', data: { cups: 2 } })).toMatchObject({ status: 202 });
  });

  test('posted twice under one Idempotency-Key has one identity; under another, or from another key, a different one', async () => {
    const bare = { type: 'io.weir.pull', data: { repository: 'a/b' } };
    const id = async (headers: Record<string, string>) => (await post(bare, headers)).json['id'];
    const first = await id({ 'idempotency-key': '"k-1"' });
    expect(UUID.exec(String(first))?.[1]).toBe('8');
    expect(await id({ 'idempotency-key': 'k-1' })).toBe(first);
    expect(await id({ 'idempotency-key': 'k-2' })).not.toBe(first);
    expect(await id({ 'idempotency-key': 'k-1', authorization: 'Bearer ci-secret' })).not.toBe(first);
  });
});

describe('several events', () => {
  test('are answered one by one, and a bad one takes no good one with it', async () => {
    const bad = cloudEvent({ id: 'e2', time: 'yesterday', data: { repository: 7 } });
    const reply = await post([cloudEvent(), bad, cloudEvent({ id: 'e3' })], BATCH);
    expect(reply).toMatchObject({ status: 202, json: { accepted: 2, refused: 1 } });
    expect(reply.json.results).toEqual([
      { index: 0, id: 'e1', source: '/ci/1', status: 'confirmed' },
      {
        index: 1,
        problem: {
          status: 400,
          title: 'Not a valid event',
          errors: [
            { field: 'time', message: expect.stringContaining('RFC 3339') as string },
            { field: 'data.repository', message: expect.any(String) as string },
          ],
        },
      },
      { index: 2, id: 'e3', source: '/ci/1', status: 'confirmed' },
    ]);
    expect(publisher.events.map(({ id }) => id)).toEqual(['e1', 'e3']);
  });

  test('may be lines, of which a broken one in the middle is refused alone', async () => {
    const body = Buffer.concat([
      Buffer.from(`${JSON.stringify(cloudEvent())}\r\n\n{"type": "io.weir.pull", "data": \n`),
      Buffer.from('{"type":"\xff"}\n', 'latin1'),
      Buffer.from(JSON.stringify(cloudEvent({ id: 'e5' }))),
    ]);
    const reply = await post(body, LINES);
    expect(reply).toMatchObject({ status: 202, json: { accepted: 2, refused: 2 } });
    expect(reply.json.results).toMatchObject([
      { index: 0, line: 1, id: 'e1', status: 'confirmed' },
      { index: 1, line: 3, problem: { errors: [{ message: expect.stringMatching(/^is not JSON/) as string }] } },
      { index: 2, line: 4, problem: { errors: [{ message: 'is not UTF-8' }] } },
      { index: 3, line: 5, id: 'e5', status: 'confirmed' },
    ]);
  });

  test('may mix shapes in application/json, and one identity may be there twice', async () => {
    const flat = { category: 'service_status', type: 'down', service_name: 'registry' };
    const reply = await post([cloudEvent(), flat, cloudEvent()]);
    expect(reply.json.results).toMatchObject([
      { id: 'e1' },
      { source: '/ingest/test' },
      { id: 'e1', status: 'confirmed' },
    ]);
  });

  test('of which none is good are a problem that names every field of every one', async () => {
    const reply = await post(
      [{ type: 'io.weir.pull' }, 7, cloudEvent({ id: '', data: { repository: 'a', bytes: -1 } })],
      BATCH,
    );
    expect(reply.status).toBe(400);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(reply.json.errors?.map(({ field }) => field)).toEqual(['[0].data', '[1]', '[2].id']);
    const lines = await post('{"type":"io.weir.pull","data":{"repository":""}}\nnonsense', LINES);
    expect(lines.json.errors?.map(({ field }) => field)).toEqual(['line 1: data.repository', 'line 2']);
  });

  test('under one Idempotency-Key keep their identities place by place', async () => {
    const batch = [
      { type: 'io.weir.view', data: {} },
      { type: 'io.weir.view', data: {} },
    ];
    const ids = async () => (await post(batch, { 'idempotency-key': 'k' })).json.results?.map(({ id }) => id);
    const first = await ids();
    expect(new Set(first).size).toBe(2);
    expect(await ids()).toEqual(first);
  });

  test('of which the spool refuses some are a 503 that tells which, under ids to send them again with', async () => {
    publisher.answer(({ id }) => (id === 'e2' ? spoolFull() : 'spooled'));
    const reply = await post([cloudEvent(), cloudEvent({ id: 'e2' }), { type: 'x' }]);
    expect(reply.status).toBe(503);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(reply.json['detail']).toMatch(/^1 of 3 not taken\. The spool is full\./);
    expect(reply.json.results).toMatchObject([
      { index: 0, id: 'e1', status: 'spooled' },
      { index: 1, id: 'e2', problem: { status: 503 } },
      { index: 2, problem: { status: 400 } },
    ]);
  });

  test('that cannot be kept for a reason of the system do not tell its paths', async () => {
    publisher.answer(() => new Error("EACCES: permission denied, open '/var/lib/weir/1.spool'"));
    const reply = await post(cloudEvent());
    expect(reply.status).toBe(503);
    expect(reply.text).not.toContain('/var/lib');
  });
});

describe('a key', () => {
  test.each([
    ['is missing', { authorization: '' }, 401],
    ['is wrong', { authorization: 'Bearer wrong' }, 401],
    ['may do something else only', { authorization: 'Bearer other' }, 403],
  ])('that %s is refused', async (_what, headers, status) => {
    const reply = await post(cloudEvent(), headers);
    expect(reply.status).toBe(status);
    expect(reply.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer realm="weir ingest"' : null);
    expect(publisher.events).toEqual([]);
  });

  test('of some sources may not speak for others', async () => {
    const ci = { authorization: 'Bearer ci-secret' };
    expect(await post(cloudEvent({ source: '/billing/1' }), ci)).toMatchObject({
      status: 403,
      json: { errors: [{ field: 'source', message: expect.stringContaining('/ingest/ci, /ci/…') as string }] },
    });
    expect(await post([cloudEvent(), cloudEvent({ source: '/billing/1' })], ci)).toMatchObject({
      status: 202,
      json: { accepted: 1, results: [{ status: 'confirmed' }, { problem: { status: 403 } }] },
    });
    expect(await post({ type: 'io.weir.view', data: {} }, ci)).toMatchObject({
      status: 202,
      json: { source: '/ingest/ci' },
    });
  });
});

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
    expect(publisher.events).toMatchObject([{ type: 'com.example.y' }]);
    const [event] = publisher.events;
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
    const { port } = server.address() as AddressInfo;
    const sending = httpRequest({ port, path: '/events', method: 'POST', headers: {
      authorization: 'Bearer secret', 'content-type': 'application/json', 'content-length': 100 * 1024 * 1024,
    } }); // prettier-ignore
    sending.flushHeaders();
    const [response] = (await once(sending, 'response')) as [{ statusCode: number }];
    expect(response.statusCode).toBe(413);
    sending.destroy();
  });

  test('a chunked body is refused at the byte that is too many', async () => {
    const { port } = server.address() as AddressInfo;
    const sending = httpRequest({ port, path: '/events', method: 'POST', headers: {
      authorization: 'Bearer secret', 'content-type': 'application/json', 'transfer-encoding': 'chunked',
    } }); // prettier-ignore
    sending.write(Buffer.alloc(256 * 1024 + 1, 0x20));
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
    const response = await fetch(new URL(path, url), { method: 'POST' });
    expect([400, 404]).toContain(response.status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('x-powered-by')).toBeNull();
  });

  test('counts requests by status and events by key and result', async () => {
    await post([cloudEvent(), { type: 'x' }]);
    await post(cloudEvent(), { authorization: 'Bearer wrong' });
    const text = await metrics.metrics();
    expect(text).toContain('weir_ingest_requests_total{status="202"} 1');
    expect(text).toContain('weir_ingest_requests_total{status="401"} 1');
    expect(text).toContain('weir_ingest_events_total{key="test",result="confirmed"} 1');
    expect(text).toContain('weir_ingest_events_total{key="test",result="refused"} 1');
  });

  test('finishes the requests in flight when the server drains, and takes no new one', async () => {
    let finish: () => void = () => {};
    const held = new Promise<void>((resolve) => (finish = resolve));
    const original = publisher.publishAll.bind(publisher);
    publisher.publishAll = async (events) => (await held, original(events));
    const inFlight = post(cloudEvent());
    await once(server, 'request');
    const drained = drain(server);
    await expect(post(cloudEvent())).rejects.toThrow('fetch failed');
    finish();
    expect((await inFlight).status).toBe(202);
    await drained;
  });
});
