import { createHash } from 'node:crypto';
import { ask, errorOf, scriptedUpstream, startTestGateway, type TestGateway } from '../gateway.test-support';
import { parseRules } from '../rules/rules-file';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const DIGEST = `sha256:${'ab'.repeat(32)}`;

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
        'if-none-match': '"x"',
        'user-agent': 'docker/27.1',
      },
    });
    expect(seen[0]?.url).toBe('/v2/a/manifests/v1?ns=x');
    expect(seen[0]?.headers).toEqual({
      host: new URL(upstream.url).host,
      connection: 'keep-alive',
      accept: IMAGE,
      'if-none-match': '"x"',
      'user-agent': 'docker/27.1',
    });
  });

  test('a manifest is asked for as a whole, so that a part of it is never a pull', async () => {
    const headers = { accept: IMAGE, range: 'bytes=0-0', 'if-range': '"x"' };
    const answer = await ask(through.url, '/v2/a/manifests/v1', { headers });
    expect([answer.status, answer.body]).toEqual([200, manifest]);
    for (const name of ['range', 'if-range']) expect(seen[0]?.headers).not.toHaveProperty(name);
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
