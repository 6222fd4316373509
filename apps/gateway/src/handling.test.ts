import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { ask, scriptedUpstream, startTestGateway, type TestGateway } from './gateway.test-support';
import { pushImage, pushIndex, type PushedImage } from './images.test-support';
import { parseRules } from './rules-file';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const DIGEST = `sha256:${'ab'.repeat(32)}`;

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
let image: PushedImage;
let gateway: TestGateway;

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  image = await pushImage(registry.url, 'team/app', { tag: 'v1', layerBytes: 4000 });
  for (const tag of ['v2', 'v3']) await pushIndex(registry.url, 'team/app', [image], tag);
  gateway = await startTestGateway({ upstream: registry.url });
});

afterAll(async () => {
  await gateway.stop();
  await registry.stop();
  await directory.remove();
});

const errorOf = (body: Buffer) => (JSON.parse(body.toString()) as { errors: unknown[] }).errors;

describe('what is refused', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])(
    '%s: 405 that says what is allowed',
    async (method) => {
      const answer = await ask(gateway.url, '/v2/team/app/manifests/v1', { method });
      expect(answer).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD', 'content-type': 'application/json' },
      });
      expect(errorOf(answer.body)).toEqual([
        { code: 'UNSUPPORTED', message: expect.stringContaining('GET and HEAD'), detail: {} },
      ]);
    },
  );

  test.each([
    ['/v2/_catalog', 404, 'UNSUPPORTED'],
    ['/v2/_catalog?n=5', 404, 'UNSUPPORTED'],
    ['/', 404, 'UNSUPPORTED'],
    ['/token', 404, 'UNSUPPORTED'],
    ['/v2foo/team/app/manifests/v1', 404, 'UNSUPPORTED'],
    ['/v2/team/app/blobs/uploads/', 404, 'UNSUPPORTED'],
    ['//evil.example/v2/', 404, 'UNSUPPORTED'],
    ['/\\evil.example', 404, 'UNSUPPORTED'],
    ['/v2/%2e%2e/%2e%2e/', 404, 'UNSUPPORTED'],
    ['/v2/../../etc/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/..;/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/a%2fb/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/a%252fb/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/a%00/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/a/manifests/x%0d%0aSet-Cookie:b=c', 400, 'DIGEST_INVALID'],
    ['/v2/a/manifests/x%0d%0aa', 400, 'TAG_INVALID'],
    ['/v2/a%c0%ae/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/user:pass@evil.example/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/@evil.example/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/a#/manifests/x', 400, 'NAME_INVALID'],
    ['/v2/a/tags/list?n=1#x', 400, 'UNSUPPORTED'],
    [`/v2/${'a'.repeat(8000)}/manifests/x`, 400, 'NAME_INVALID'],
    [`/v2/team/app/blobs/sha256:${'A'.repeat(64)}`, 400, 'DIGEST_INVALID'],
  ])('%s: %i %s', async (path, status, code) => {
    const answer = await ask(gateway.url, path);
    expect(answer.status).toBe(status);
    expect(errorOf(answer.body)).toMatchObject([{ code }]);
    expect(answer.headers).not.toHaveProperty('location');
    expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  test('a line break in the target never gets past the parser', async () => {
    const answer = await raw(gateway, 'GET /v2/a/manifests/x\r\nSet-Cookie: b=c HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test.each([
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n'],
    ['a length beside chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n'],
  ])('a request with %s is answered 400 and its connection closed', async (_, header) => {
    const answer = await raw(gateway, `GET /v2/ HTTP/1.1\r\nHost: a\r\n${header}\r\n0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('17 KiB of headers: 431', async () => {
    const answer = await raw(gateway, `GET /v2/ HTTP/1.1\r\nHost: a\r\nX-Big: ${'x'.repeat(17 * 1024)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('a body ends the connection instead of being read', async () => {
    const answer = await raw(gateway, 'PUT /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nxxxx');
    expect(answer).toMatch(/^HTTP\/1\.1 405 [\s\S]*connection: close/i);
  });
});

describe('where a client is sent', () => {
  const docker = { 'user-agent': 'docker/27.1.1 go/go1.21', accept: IMAGE };

  test('path and query are kept', async () => {
    const answer = await ask(gateway.url, `/v2/team/app/manifests/v1?ns=docker.io&a=%2F`, { headers: docker });
    expect(answer).toMatchObject({ status: 307, headers: { 'cache-control': 'no-store' } });
    expect(answer.headers.location).toBe(`${registry.url}/v2/team/app/manifests/v1?ns=docker.io&a=%2F`);
  });

  test('a client that nobody knows gets the manifest itself', async () => {
    for (const headers of [{}, { 'user-agent': 'something/1.0' }]) {
      const answer = await ask(gateway.url, '/v2/team/app/manifests/v1', { headers: { accept: IMAGE, ...headers } });
      expect(answer).toMatchObject({ status: 200, headers: { 'docker-content-digest': image.digest } });
      expect(answer.body.equals(image.body)).toBe(true);
    }
  });

  test.each([
    { host: 'evil.example' },
    { host: 'evil.example:99999' },
    { host: '169.254.169.254' },
    { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', 'x-original-url': '/evil' },
  ])('%j has no say in it', async (headers) => {
    const answer = await ask(gateway.url, `/v2/team/app/blobs/${DIGEST}`, {
      headers: headers as Record<string, string>,
    });
    expect(answer.headers.location).toBe(`${registry.url}/v2/team/app/blobs/${DIGEST}`);
  });

  test('another server in the target is refused', async () => {
    const answer = await raw(gateway, 'GET http://evil.example/v2/a/manifests/b HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.toLowerCase()).not.toContain('location:');
  });

  test('clients are sent to the public address where the registry has one, and nowhere where it has none', async () => {
    const upstreams = {
      open: { url: registry.url, publicUrl: 'https://images.example.com' },
      inner: { url: registry.url, publicUrl: false },
    };
    const read = parseRules({ upstreams, rules: [{ host: 'inner.test', upstream: 'inner' }, { upstream: 'open' }] });
    if (!read.ok) throw new Error(read.problems.join());
    const ruled = await startTestGateway({ rules: read.rules });
    const path = `/v2/team/app/blobs/${image.layers[0]?.digest}`;
    const open = await ask(ruled.url, path);
    const inner = await ask(ruled.url, path, { headers: { host: 'inner.test' } });
    await ruled.stop();
    expect(open.headers.location).toBe(`https://images.example.com${path}`);
    expect(inner.status).toBe(200);
    expect(inner.body.equals(image.layers[0]?.body ?? Buffer.alloc(0))).toBe(true);
    expect(await ruled.metric('weir_gateway_streamed_blob_bytes_total')).toBe(4000);
  });
});

describe('what is passed on', () => {
  test('the ping', async () => {
    const answer = await ask(gateway.url, '/v2/');
    expect(answer).toMatchObject({ status: 200, headers: { 'docker-distribution-api-version': 'registry/2.0' } });
  });

  test('the list of tags, with its query', async () => {
    const answer = await ask(gateway.url, '/v2/team/app/tags/list?n=100');
    expect(JSON.parse(answer.body.toString())).toEqual({ name: 'team/app', tags: ['v1', 'v2', 'v3'] });
  });

  test('a missing manifest is told in the words of the registry', async () => {
    const answer = await ask(gateway.url, '/v2/team/app/manifests/none');
    expect(answer.status).toBe(404);
    expect(errorOf(answer.body)).toMatchObject([{ code: 'MANIFEST_UNKNOWN' }]);
  });

  test('a range of a blob, when the gateway has to stream it', async () => {
    const read = parseRules({
      upstreams: { inner: { url: registry.url, publicUrl: false } },
      rules: [{ upstream: 'inner' }],
    });
    if (!read.ok) throw new Error(read.problems.join());
    const inner = await startTestGateway({ rules: read.rules });
    const layer = image.layers[0];
    const answer = await ask(inner.url, `/v2/team/app/blobs/${layer?.digest}`, {
      headers: { range: 'bytes=1000-1999' },
    });
    await inner.stop();
    expect(answer).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 1000-1999/4000' } });
    expect(answer.body.equals(layer?.body.subarray(1000, 2000) ?? Buffer.alloc(0))).toBe(true);
  });

  test('a HEAD has the length and digest of the manifest, and no body', async () => {
    const answer = await ask(gateway.url, '/v2/team/app/manifests/v1', { method: 'HEAD', headers: { accept: IMAGE } });
    expect(answer.headers).toMatchObject({
      'content-length': String(image.body.length),
      'docker-content-digest': image.digest,
    });
    expect(answer.body).toHaveLength(0);
  });
});

describe('an upstream that says unusual things', () => {
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2 }));
  let seen: { url: string | undefined; headers: Record<string, unknown> }[] = [];
  let upstream: Awaited<ReturnType<typeof scriptedUpstream>>;
  let through: TestGateway;

  beforeAll(async () => {
    upstream = await scriptedUpstream((request, response) => {
      seen.push({ url: request.url, headers: request.headers });
      const path = request.url?.split('?')[0] ?? '';
      if (path.includes('/referrers/'))
        return void response.writeHead(200, {
          'content-type': 'application/vnd.oci.image.index.v1+json',
          'oci-filters-applied': 'artifactType',
          link: [`<${upstream.url}${path}?next=1>; rel="next"`, '<https://elsewhere.example/x>; rel="help"'],
        }).end('{}'); // prettier-ignore
      if (path.endsWith('/tags/list'))
        return void response.writeHead(200, { link: '<list?last=d&n=2>; rel="next"' }).end('{"tags":["b","d"]}');
      if (path.endsWith('/throttled'))
        return void response.writeHead(429, { 'retry-after': '7' }).end('{"errors":[{"code":"TOOMANYREQUESTS"}]}');
      if (path.endsWith('/nothing')) return void request.socket.end('this is no HTTP\r\n\r\n');
      if (path.endsWith('/slow')) return;
      if (path.endsWith('/short')) {
        response.writeHead(200, { 'content-type': IMAGE, 'content-length': 1000 }).write('{');
        return void setTimeout(() => request.socket.destroy(), 20);
      }
      if (path.endsWith('/hops')) {
        const headers = { 'content-type': IMAGE, connection: 'X-Private, close', 'x-private': '1', 'keep-alive': 'timeout=9',
          'proxy-authenticate': 'Basic', upgrade: 'h2c', 'set-cookie': 'a=b', 'strict-transport-security': 'max-age=1',
          warning: '299 - "old"', 'x-other': 'kept' }; // prettier-ignore
        return void response.writeHead(200, headers).end(manifest);
      }
      response.writeHead(200, { 'content-type': IMAGE }).end(manifest);
    });
    through = await startTestGateway({ upstream: upstream.url, mode: 'proxy' }, { UPSTREAM_ANSWER_TIMEOUT_MS: '300' });
  });
  beforeEach(() => void (seen = []));
  afterAll(async () => {
    await through.stop();
    await upstream.stop();
  });

  test('hop-by-hop headers and those about its own host stay behind, the rest reaches the client', async () => {
    const { headers } = await ask(through.url, '/v2/a/manifests/hops');
    for (const name of ['x-private', 'proxy-authenticate', 'upgrade', 'set-cookie', 'strict-transport-security'])
      expect(headers).not.toHaveProperty(name);
    expect(headers).toMatchObject({ warning: '299 - "old"', 'x-other': 'kept', 'content-type': IMAGE });
  });

  test('of the request, only what a registry needs reaches it', async () => {
    await ask(through.url, '/v2/a/manifests/v1?ns=x', {
      headers: {
        connection: 'X-Named, authorization',
        'x-named': '1',
        te: 'trailers',
        'proxy-authorization': 'Basic secret',
        'proxy-connection': 'keep-alive',
        cookie: 'a=b',
        'x-api-key': 'secret',
        'x-forwarded-for': '1.2.3.4',
        accept: IMAGE,
        range: 'bytes=0-',
        'if-none-match': '"x"',
        'user-agent': 'docker/27.1',
      },
    });
    expect(seen[0]?.url).toBe('/v2/a/manifests/v1?ns=x');
    expect(seen[0]?.headers).toEqual({
      host: new URL(upstream.url).host,
      connection: 'keep-alive',
      accept: IMAGE,
      range: 'bytes=0-',
      'if-none-match': '"x"',
      'user-agent': 'docker/27.1',
    });
  });

  test('referrers keep their query, their filters and their links on the gateway', async () => {
    const { headers } = await ask(through.url, `/v2/a/referrers/${DIGEST}?artifactType=application/x`);
    expect(seen[0]?.url).toBe(`/v2/a/referrers/${DIGEST}?artifactType=application/x`);
    expect(headers['oci-filters-applied']).toBe('artifactType');
    expect(headers['link']).toBe(
      `</v2/a/referrers/${DIGEST}?next=1>; rel="next", <https://elsewhere.example/x>; rel="help"`,
    );
  });

  test('tags are listed page by page without leaving the gateway, under the name that the client knows', async () => {
    const read = parseRules({
      upstreams: { hub: { url: upstream.url } },
      rules: [{ image: 'mirror/**', upstream: 'hub', stripPrefix: 'mirror/', addPrefix: 'library/' }],
    });
    if (!read.ok) throw new Error(read.problems.join());
    const renamed = await startTestGateway({ rules: read.rules });
    const { headers } = await ask(renamed.url, '/v2/mirror/a/tags/list?n=2&last=b');
    await renamed.stop();
    expect(seen[0]?.url).toBe('/v2/library/a/tags/list?n=2&last=b');
    expect(headers['link']).toBe('</v2/mirror/a/tags/list?last=d&n=2>; rel="next"');
  });

  test.each(['auto', 'proxy'] as const)(
    'an upstream without digests or HEAD is counted all the same, mode %s',
    async (mode) => {
      const body = Buffer.from(JSON.stringify({ config: { digest: DIGEST, size: 10 }, layers: [] }));
      const plain = await scriptedUpstream((request, response) => {
        if (request.method === 'HEAD') return void response.writeHead(405).end();
        if (request.url?.includes('/blobs/')) return void response.writeHead(404).end();
        response.writeHead(200, { 'content-type': IMAGE }).end(body);
      });
      const simple = await startTestGateway({ upstream: plain.url, mode });
      for (let pull = 0; pull < 2; pull += 1)
        await ask(simple.url, '/v2/a/manifests/v1', { headers: { accept: IMAGE, 'user-agent': 'docker/27.1' } });
      const events = await simple.events();
      await simple.stop();
      await plain.stop();
      const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
      expect(events.map(({ data }) => [data['digest'], data['bytes'], data['platform']])).toEqual([
        [digest, 10, undefined],
        [digest, 10, undefined],
      ]);
    },
  );

  test('429 is passed on with its Retry-After and is no pull', async () => {
    const answer = await ask(through.url, '/v2/a/manifests/throttled');
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
    expect(answer.body.toString()).toContain('TOOMANYREQUESTS');
    const events = await through.events();
    expect(events.filter(({ data }) => data['tag'] === 'throttled')).toEqual([]);
  });

  test.each([
    ['slow', 504, 'did not answer in time'],
    ['nothing', 502, 'not HTTP'],
  ])('%s: %i in the shape of the registry', async (tag, status, message) => {
    const answer = await ask(through.url, `/v2/a/manifests/${tag}`);
    expect(answer.status).toBe(status);
    expect(errorOf(answer.body)).toEqual([
      {
        code: 'UNAVAILABLE',
        message: expect.stringContaining(message),
        detail: { upstream: new URL(upstream.url).host },
      },
    ]);
  });

  test('a manifest that breaks off is seen to be incomplete and is no pull', async () => {
    await expect(ask(through.url, '/v2/a/manifests/short')).rejects.toThrow();
    expect((await through.events()).filter(({ data }) => data['tag'] === 'short')).toEqual([]);
  });
});

describe('an upstream that is down', () => {
  test.each(['auto', 'redirect', 'proxy'] as const)(
    'in mode %s a manifest is answered 502 with a clear message',
    async (mode) => {
      const gone = await scriptedUpstream(() => {});
      await gone.stop();
      const alone = await startTestGateway({ upstream: gone.url, mode });
      const paths = ['/v2/', '/v2/a/manifests/v1', '/v2/a/tags/list'];
      const answers = await Promise.all(
        paths.map((path) => ask(alone.url, path, { headers: { 'user-agent': 'docker/27.1' } })),
      );
      await alone.stop();
      for (const { status, body } of answers) {
        expect(status).toBe(502);
        expect(errorOf(body)).toMatchObject([
          { code: 'UNAVAILABLE', message: 'the upstream registry cannot be reached (ECONNREFUSED)' },
        ]);
      }
      expect(await alone.events()).toEqual([]);
    },
  );
});

test('nothing that a client says in confidence is logged', async () => {
  await ask(gateway.url, '/v2/team/app/manifests/v1', { headers: { authorization: 'Bearer very-secret' } });
  const down = await startTestGateway({ upstream: 'http://127.0.0.1:9' });
  await ask(down.url, '/v2/a/manifests/v1?token=very-secret', { headers: { authorization: 'Bearer very-secret' } });
  await down.stop();
  expect(down.logged()).toContain('no answer from upstream');
  expect(gateway.logged() + down.logged()).not.toContain('very-secret');
});

/** What comes back for bytes that no well-behaved client sends. */
function raw({ url }: TestGateway, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      socket.end();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  });
}
