import { spoolFull } from './publisher-double';
import { BATCH, cloudEvent, LINES, ONE, startEdge, type TestEdge } from './edge.test-support';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let edge: TestEdge;
const post: TestEdge['post'] = (...request) => edge.post(...request);

beforeEach(async () => {
  edge = await startEdge();
});
afterEach(() => edge.close());

describe('one event', () => {
  test('is taken as it is, with its time in UTC', async () => {
    const reply = await post(cloudEvent({ time: '2026-11-23T07:54:00+01:00', traceparent: '00-a-b-01' }), ONE);
    expect(reply).toMatchObject({ status: 202, json: { id: 'e1', source: '/ci/1', status: 'confirmed' } });
    expect(edge.publisher.events).toEqual([cloudEvent({ time: '2026-11-23T06:54:00.000Z', traceparent: '00-a-b-01' })]);
  });

  test('that names no time has the same one whenever it is repeated', async () => {
    const bare = { type: 'io.weir.pull', id: 'first', data: { repository: 'a/b' } };
    await post(bare);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await post(bare);
    const [first, second] = edge.publisher.events;
    expect(second).toEqual(first);
  });

  test('says when it was spooled', async () => {
    edge.publisher.answer(() => 'spooled');
    expect(await post(cloudEvent())).toMatchObject({ status: 202, json: { status: 'spooled' } });
  });

  test('gets an envelope when it is bare, and the answer tells its identity', async () => {
    const before = Date.now();
    const reply = await post({ type: 'io.weir.pull', data: { repository: 'a/b' } });
    expect(reply).toMatchObject({ status: 202, json: { source: '/ingest/test', status: 'confirmed' } });
    expect(UUID.exec(String(reply.json['id']))?.[1]).toBe('7');
    const [event] = edge.publisher.events;
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
    expect(edge.publisher.events).toMatchObject([{ type: 'io.weir.build.finished' }]);
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
    const response = await fetch(edge.url, {
      method: 'POST',
      headers: { 'API-KEY': 'secret', 'content-type': 'application/json' },
      body: JSON.stringify(flat),
    });
    expect(response.status).toBe(202);
    expect(edge.publisher.events).toMatchObject([
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
    expect(edge.publisher.events).toMatchObject([{ trace: 't', data: { repository: 'a/b' } }]);
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
    expect(edge.publisher.events.map(({ id }) => id)).toEqual(['e1', 'e3']);
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
    edge.publisher.answer(({ id }) => (id === 'e2' ? spoolFull() : 'spooled'));
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
    edge.publisher.answer(() => new Error("EACCES: permission denied, open '/var/lib/weir/1.spool'"));
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
    expect(edge.publisher.events).toEqual([]);
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
