import { gzipSync } from 'node:zlib';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { BATCH, cloudEvent, LINES, LIMITS, ONE, startEdge, type TestEdge } from './edge.test-support';

// S20 to S25 of the reliability reference, part B: what somebody sends who means harm. What a mistake looks like is in
// refusals.test.ts.

let edge: TestEdge;
beforeEach(async () => {
  edge = await startEdge();
});
afterEach(() => edge.close());

describe('JSON that means harm (S21)', () => {
  const event = (data: string) => `{"specversion":"1.0","id":"1","source":"/a","type":"com.example.x","data":${data}}`;

  test.each<[string, string | Buffer]>([
    ['brackets 100,000 deep, never closed', '['.repeat(100_000)],
    ['objects 20,000 deep', '{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000)],
    ['data 20,000 deep', event('{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000))],
    ['NaN', event('{"n":NaN}')],
    ['Infinity', event('{"n":-Infinity}')],
    ['a bare NUL in a text', event('{"s":"\u0000"}')],
    ['a NUL behind it', `${event('{}')}\u0000`],
    ['a comment', `${event('{}')}// hello`],
    ['two documents', event('{}') + event('{}')],
    ['UTF-16', Buffer.from(event('{}'), 'utf16le')],
    ['overlong UTF-8', Buffer.concat([Buffer.from('{"type":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])],
    ['a NUL in the id', event('{}').replace('"1"', '"a\\u0000b"')],
    ['half a surrogate pair in the source', event('{}').replace('/a', '/\\ud800')],
    ['a type of 10,000 characters', event('{}').replace('com.example.x', 'x'.repeat(10_000))],
    ['a time that is a number', event('{}').replace('{"spec', '{"time":1e400,"spec')],
    ['a time with a second line in it', event('{}').replace('{"spec', '{"time":"1\\nadmin,x=1 v=1","spec')],
  ])('is refused: %s', async (_what, body) => {
    const reply = await edge.post(body, ONE);
    expect(reply.status).toBe(400);
    expect(edge.publisher.events).toEqual([]);
    harmless(reply.text);
  });

  test('of 1,000,000 keys is more than an event may have, and the next request is answered as ever', async () => {
    const roomy = await startEdge({ limits: { bodyBytes: 16 * 1024 * 1024, events: 1000 } });
    const keys = Array.from({ length: 1_000_000 }, (_, n) => `"${n}":1`).join(',');
    expect(await roomy.post(event(`{${keys}}`), ONE)).toMatchObject({
      status: 400, json: { errors: [{ message: expect.stringContaining('at most 65536 are allowed') as string }] },
    }); // prettier-ignore
    expect(await roomy.post(`{${keys}}`, ONE)).toMatchObject({ status: 400 });
    expect(await roomy.post(cloudEvent(), ONE)).toMatchObject({ status: 202 });
    await roomy.close();
  });

  test('is taken as JavaScript reads it, and is the same for every store: -0, 1e400, the last of two equal names, a BOM', async () => {
    const odd = event('{"zero":-0,"huge":1e400,"twice":1,"twice":2,"long":123456789012345678901234567890}');
    expect(await edge.post(`\ufeff${odd}`, ONE)).toMatchObject({ status: 202 });
    const [taken] = edge.publisher.events;
    expect(JSON.parse(JSON.stringify(taken?.data))).toEqual({
      zero: 0, huge: null, twice: 2, long: 123456789012345680000000000000,
    }); // prettier-ignore
  });

  test('pollutes no prototype, at whatever depth (S22)', async () => {
    const evil = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    for (const body of [
      evil,
      event(evil),
      event(`{"a":[${evil},{"b":${evil}}]}`),
      `[${event(evil)},${evil}]`,
      `{"category":"download","type":"file","__proto__":{"size":1,"polluted":1},"constructor":${evil}}`,
    ]) {
      const reply = await edge.post(body);
      expect([202, 400]).toContain(reply.status);
      harmless(reply.text);
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(([] as unknown as Record<string, unknown>)['polluted']).toBeUndefined();
    expect((Object.prototype as Record<string, unknown>)['size']).toBeUndefined();
    expect(edge.publisher.events.length).toBeGreaterThan(0);
  });
});

describe('bodies that mean harm (S20)', () => {
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));

  test.each(['gzip', 'br', 'deflate, gzip', 'GZIP', 'x-gzip', 'identity, gzip'])(
    'a bomb in Content-Encoding %s is refused without being unpacked',
    async (encoding) => {
      expect(bomb.length).toBeLessThan(LIMITS.bodyBytes);
      const reply = await edge.post(bomb, { 'content-encoding': encoding });
      expect(reply.status).toBe(415);
      expect(reply.headers.get('accept-encoding')).toBe('identity');
    },
  );

  test('one byte over the limit is refused, the limit itself is read', async () => {
    const padded = (bytes: number) => JSON.stringify(cloudEvent()).padEnd(bytes, ' ');
    expect(await edge.post(padded(LIMITS.bodyBytes))).toMatchObject({ status: 202 });
    expect(await edge.post(padded(LIMITS.bodyBytes + 1))).toMatchObject({ status: 413 });
  });

  test.each<[string, string, RegExp]>([
    ['less than Content-Length says, then silence', 'Content-Length: 500\r\n\r\n{"a":', /^HTTP\/1\.1 408/],
    ['chunks without an end', 'Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n', /^HTTP\/1\.1 408/],
    ['both Content-Length and Transfer-Encoding', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /^HTTP\/1\.1 400/],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n\r\n{}{}', /^HTTP\/1\.1 400/],
    ['a length below zero', 'Content-Length: -1\r\n\r\n', /^HTTP\/1\.1 400/],
    ['a chunk of no size', 'Transfer-Encoding: chunked\r\n\r\nxyz\r\n', /^HTTP\/1\.1 400/],
    ['a head of 100 KB', `X: ${'a'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431/],
  ])('%s is answered and cut off', async (_what, rest, answer) => {
    const quick = await startEdge({ requestTimeoutMs: 500 });
    const { socket, answered } = raw(
      `POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: application/json\r\n${rest}`,
      quick.port,
    );
    expect(await answered).toMatch(answer);
    socket.destroy();
    expect(quick.publisher.events).toEqual([]);
    expect(await quick.post(cloudEvent())).toMatchObject({ status: 202 });
    await quick.close();
  }, 15_000); // prettier-ignore

  test('a second request hidden in the body of a first is not taken for one', async () => {
    const hidden = 'POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
    const { socket, answered } = raw(
      'POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: application/json\r\n' +
        `Connection: close\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    );
    expect((await answered).match(/HTTP\/1\.1/g)).toHaveLength(1);
    socket.destroy();
  });
});

describe('batches (S23)', () => {
  test('10,000 lines are answered one by one, when that many are allowed', async () => {
    const roomy = await startEdge({ limits: { bodyBytes: 4 * 1024 * 1024, events: 10_000 } });
    const lines = Array.from({ length: 10_000 }, (_, n) =>
      n % 10 === 0 ? '{"type":' : JSON.stringify({ type: 'com.example.x', id: String(n), data: {} }),
    );
    const reply = await roomy.post(lines.join('\n'), LINES);
    expect(reply).toMatchObject({ status: 202, json: { accepted: 9000, refused: 1000 } });
    expect(reply.json.results).toHaveLength(10_000);
    expect(roomy.publisher.events).toHaveLength(9000);
    await roomy.close();
  });

  test('of 1,000 events with many problems each are answered within bounds', async () => {
    const reply = await edge.post(Array.from({ length: 1000 }, () => ({ specversion: 7, id: {}, source: [], a: {}, b: {} })), BATCH); // prettier-ignore
    expect(reply.status).toBe(400);
    expect(reply.json.errors).toHaveLength(1000);
    expect(reply.text.length).toBeLessThan(256 * 1024);
  });
});

describe('from a browser (S24)', () => {
  test('what a page of another site can send without being asked is refused', async () => {
    const origin = { origin: 'https://evil.example' };
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '']) {
      expect(await edge.post(JSON.stringify(cloudEvent()), { ...origin, 'content-type': type })).toMatchObject({
        status: 415,
      });
    }
    const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
    const preflight = await edge.post(undefined, { ...origin, ...asked }, 'OPTIONS');
    expect(preflight.status).toBe(405);
    expect([...preflight.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

test('what Weir says of itself cannot be forged: io.weir.canary is reserved, in every form', async () => {
  for (const sent of [
    cloudEvent({ type: 'io.weir.canary', data: { worker: 'redis' } }),
    { type: 'io.weir.canary', data: { worker: 'redis' } },
  ]) {
    expect(await edge.post(sent)).toMatchObject({
      status: 403, json: { errors: [{ field: 'type', message: expect.stringContaining('reserved') as string }] },
    }); // prettier-ignore
  }
  const attributes = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/a', 'ce-type': 'io.weir.canary' };
  expect(await edge.post({ worker: 'redis' }, attributes)).toMatchObject({ status: 403 });
  expect(edge.publisher.events).toEqual([]);
});

/** S25: nothing of how it is made. */
function harmless(text: string): void {
  expect(text).not.toMatch(/node_modules|\bat .*[:(]\d|\.ts\b|\.js\b|Bearer secret|RangeError|TypeError/);
}

function raw(text: string, port = edge.port): { socket: Socket; answered: Promise<string> } {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { socket, answered: once(socket, 'close').then(() => Buffer.concat(chunks).toString()) };
}
