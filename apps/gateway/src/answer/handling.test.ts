import { connect } from 'node:net';
import { join } from 'node:path';
import { startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { ask, errorOf, startTestGateway, type TestGateway } from '../gateway.test-support';
import { pushImage, pushIndex, type PushedImage } from '../images.test-support';
import { parseRules } from '../rules/rules-file';

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
    ['/metrics', 404, 'UNSUPPORTED'],
    ['/readyz', 404, 'UNSUPPORTED'],
    ['/healthz', 404, 'UNSUPPORTED'],
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
    ['a length that is none', 'Content-Length: 5, 5\r\n'],
    ['a coding that is none', 'Transfer-Encoding: chunked, identity\r\n'],
    ['a folded line', 'Transfer-Encoding:\r\n chunked\r\n'],
    ['a bare line feed', 'X-A: b\nTransfer-Encoding: chunked\r\n'],
    ['a bare carriage return', 'X-A: b\rTransfer-Encoding: chunked\r\n'],
    ['a zero byte', 'X-A: b\0c\r\n'],
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
    const { name, tags } = JSON.parse(answer.body.toString()) as { name: string; tags: string[] };
    expect(name).toBe('team/app');
    expect(tags.sort()).toEqual(['v1', 'v2', 'v3']); // as its disk gives them
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
