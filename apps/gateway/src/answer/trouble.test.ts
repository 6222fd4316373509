import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ask, errorOf, scriptedUpstream, startTestGateway, type TestGateway } from '../gateway.test-support';
import { modes } from '../rules/rules';

// What an upstream can do wrong, and what its client is answered: the table in docs/request-handling.md. The upstream is
// scripted byte by byte, for no real registry can be made to say these things.

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE });
const DIGEST = `sha256:${createHash('sha256').update(MANIFEST).digest('hex')}`;
const OTHER = `sha256:${'ab'.repeat(32)}`;
const LIMITS = {
  UPSTREAM_ANSWER_TIMEOUT_MS: '400',
  UPSTREAM_IDLE_TIMEOUT_MS: '400',
  UPSTREAM_CONNECT_TIMEOUT_MS: '400',
};

const answer = (headers: readonly string[], body: string | Buffer = MANIFEST, status = '200 OK') =>
  Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n`), Buffer.from(body)]); // prettier-ignore
const type = `Content-Type: ${IMAGE}`;
const length = `Content-Length: ${MANIFEST.length}`;
const named = `Docker-Content-Digest: ${DIGEST}`;

interface Trouble {
  says: (socket: Socket) => unknown;
  reference?: string;
  status: number;
  message: string;
}

const all = (bytes: string | Buffer) => (socket: Socket) => void socket.end(bytes);
const repeats = (first: string, again: string) => (socket: Socket) => {
  socket.write(first);
  const more = setInterval(() => socket.write(again), 20);
  socket.once('close', () => clearInterval(more));
};

const troubles: Record<string, Trouble> = {
  'no HTTP': { says: all('this is no HTTP\r\n\r\n'), status: 502, message: 'not HTTP' },
  'a bad status line': { says: all('HTTP/9.9 banana\r\n\r\n'), status: 502, message: 'not HTTP' },
  'status 999': { says: all(answer([length], MANIFEST, '999 What')), status: 502, message: 'a status that there is not' },
  'two lengths': { says: all(answer([type, length, 'Content-Length: 7'])), status: 502, message: 'not HTTP' },
  'chunks that are none': { says: all(answer([type, 'Transfer-Encoding: chunked'], 'zz\r\nx')), status: 502, message: 'not HTTP' },
  'headers without end': { says: all(answer([type, ...Array<string>(2000).fill(`X-More: ${'x'.repeat(100)}`)])), status: 502, message: 'not HTTP' },
  'headers one by one': { says: repeats('HTTP/1.1 200 OK\r\n', 'X-More: x\r\n'), status: 504, message: 'in time' },
  'early hints without end': { says: repeats('', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'), status: 504, message: 'in time' },
  'nothing at all': { says: (socket) => socket.end(), status: 502, message: 'cannot be reached' },
  'no answer': { says: () => {}, status: 504, message: 'did not answer in time' },
  'half an answer, then silence': { says: (socket) => socket.write(answer([type, length], '{')), status: 504, message: 'in time' },
  'a body shorter than its length': { says: all(answer([type, 'Content-Length: 1000'])), status: 502, message: 'broke off' },
  'a body longer than its length': { says: all(answer([type, named, 'Content-Length: 5'])), status: 502, message: 'its digest does not name' },
  'a digest that is another one': { says: all(answer([type, length, `Docker-Content-Digest: ${OTHER}`])), status: 502, message: 'its digest does not name' },
  'another manifest than was asked for': { says: all(answer([type, length])), reference: OTHER, status: 502, message: 'its digest does not name' },
  'a web page': { says: all(answer(['Content-Type: text/html; charset=utf-8', 'Content-Length: 6'], '<html>')), status: 502, message: 'a web page' },
}; // prettier-ignore

let upstream: Server;
let url: string;
let says: Trouble['says'];
let asked: string[] = [];
let gateway: TestGateway;

beforeAll(async () => {
  upstream = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      asked.push(chunk.toString('latin1').split(' ', 1)[0] ?? '');
      says(socket);
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  gateway = await startTestGateway({ upstream: url, mode: 'proxy' }, LIMITS);
});
beforeEach(() => void (asked = []));

afterAll(async () => {
  await gateway.stop();
  await new Promise((resolve) => upstream.close(resolve));
});

test.each(Object.entries(troubles))('%s: an error that people can read, and no event', async (_, trouble) => {
  ({ says } = trouble);
  const { reference = 'v1', status, message } = trouble;
  const got = await ask(gateway.url, `/v2/a/manifests/${reference}`, { headers: { accept: IMAGE } });
  expect(errorOf(got.body)).toEqual([
    { code: 'UNAVAILABLE', message: expect.stringContaining(message) as string, detail: { upstream: new URL(url).host } },
  ]); // prettier-ignore
  expect(got.status).toBe(status);
  expect(await gateway.events()).toEqual([]);
});

test('a manifest in an encoding that nobody asked for is passed on as it came, and counted by its headers', async () => {
  const packed = gzipSync(MANIFEST);
  says = all(answer([type, named, 'Content-Encoding: gzip', `Content-Length: ${packed.length}`], packed));
  const counting = await startTestGateway({ upstream: url, mode: 'proxy' }, LIMITS);
  const got = await ask(counting.url, '/v2/a/manifests/v1', { headers: { accept: IMAGE } });
  const events = await counting.events();
  await counting.stop();
  expect(got).toMatchObject({ status: 200, headers: { 'content-encoding': 'gzip' } });
  expect(got.body.equals(packed)).toBe(true);
  expect(events.map(({ type: kind, data }) => [kind, data['digest']])).toEqual([['io.weir.pull', DIGEST]]);
});

test('a digest that is none is passed on, and counted by that of the manifest', async () => {
  says = all(answer([type, length, 'Docker-Content-Digest: nonsense']));
  const counting = await startTestGateway({ upstream: url, mode: 'proxy' }, LIMITS);
  const got = await ask(counting.url, '/v2/a/manifests/v1', { headers: { accept: IMAGE } });
  const events = await counting.events();
  await counting.stop();
  expect(got).toMatchObject({ status: 200, headers: { 'docker-content-digest': 'nonsense' } });
  expect(events.map(({ type: kind, data }) => [kind, data['digest']])).toEqual([['io.weir.pull', DIGEST]]);
});

test('an upstream that knows no HEAD and breaks off the GET: an error that people can read', async () => {
  says = (socket) => socket.end(asked.at(-1) === 'HEAD' ? answer([], '', '405 No') : answer([type, 'Content-Length: 1000'])); // prettier-ignore
  const through = await startTestGateway({ upstream: url, mode: 'redirect' }, LIMITS);
  const got = await ask(through.url, '/v2/a/manifests/v1', { headers: { accept: IMAGE } });
  await through.stop();
  expect([got.status, errorOf(got.body)]).toEqual([502, [expect.objectContaining({ code: 'UNAVAILABLE' })]]);
});

test('a blob that breaks off is seen to be incomplete', async () => {
  says = all(answer(['Content-Length: 1000'], 'x'));
  await expect(ask(gateway.url, `/v2/a/blobs/${DIGEST}`, { headers: { authorization: 'Bearer x' } })).rejects.toThrow();
});

test('a manifest of more than 4 MiB flows through unread', async () => {
  const large = Buffer.alloc(5 * 1024 * 1024, ' ');
  const chunk = Buffer.concat([Buffer.from(`${large.length.toString(16)}\r\n`), large, Buffer.from('\r\n0\r\n\r\n')]);
  const counting = await startTestGateway({ upstream: url, mode: 'proxy' }, LIMITS);
  for (const bytes of [answer([type, `Content-Length: ${large.length}`], large), answer([type, 'Transfer-Encoding: chunked'], chunk)]) {
    says = all(bytes);
    const got = await ask(counting.url, '/v2/a/manifests/v1', { headers: { accept: IMAGE } });
    expect(got.status).toBe(200);
    expect(got.body.equals(large)).toBe(true);
  } // prettier-ignore
  says = all(answer([], '', '404 Not Found'));
  await counting.events();
  await counting.stop();
});

describe.each(modes)('an upstream that throttles, in mode %s', (mode) => {
  test.each(['v1', DIGEST])(
    '%s: 429 with its Retry-After, not counted, not asked again and again',
    async (reference) => {
      const through = await startTestGateway({ upstream: url, mode }, LIMITS);
      const body = '{"errors":[{"code":"TOOMANYREQUESTS"}]}';
      says = all(answer(['Retry-After: 7', `Content-Length: ${body.length}`, 'Connection: close'], asked.at(-1) === 'HEAD' ? '' : body, '429 Too Many')); // prettier-ignore
      const got = await ask(through.url, `/v2/a/manifests/${reference}`, { headers: { 'user-agent': 'docker/27.1' } });
      const events = await through.events();
      await through.stop();
      expect(got).toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
      expect(events).toEqual([]);
      expect(asked).toEqual(mode === 'proxy' ? ['GET'] : ['HEAD', 'GET']);
    },
  );
});

describe.each(modes)('an upstream that fails, in mode %s', (mode) => {
  test('its own error reaches the client as it is', async () => {
    const failing = await scriptedUpstream((_, response) => void response.writeHead(503).end('out of order'));
    const through = await startTestGateway({ upstream: failing.url, mode });
    const got = await ask(through.url, '/v2/a/manifests/v1', { headers: { 'user-agent': 'docker/27.1' } });
    const events = await through.events();
    await through.stop();
    await failing.stop();
    expect([got.status, got.body.toString(), events]).toEqual([503, 'out of order', []]);
  });
});

describe.each(modes)('a publisher in trouble, in mode %s', (mode) => {
  test.each([
    ['rejects', () => Promise.reject(new Error('the spool is full'))],
    ['throws', () => { throw new Error('a mistake'); }],
    ['never answers', () => new Promise<never>(() => {})],
  ])('that %s: every pull is answered all the same', async (_, publishAll) => {
    const registry = await scriptedUpstream((_request, response) => {
      response.writeHead(200, { 'content-type': IMAGE, 'docker-content-digest': DIGEST }).end(MANIFEST);
    });
    const through = await startTestGateway({ upstream: registry.url, mode }, {}, { publishAll });
    const statuses: number[] = [];
    for (let pull = 0; pull < 3; pull += 1) {
      statuses.push((await ask(through.url, '/v2/a/manifests/v1', { headers: { 'user-agent': 'docker/27.1' } })).status);
      await through.events();
    }
    await through.stop();
    await registry.stop();
    expect(statuses).toEqual(Array(3).fill(mode === 'proxy' ? 200 : 307));
  }); // prettier-ignore
});
