import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { request as forward, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { ask, scriptedUpstream, skopeo, startTestGateway } from '../gateway.test-support';
import { AMD64, ARM64, pushImage, pushIndex, type PushedImage } from '../images.test-support';
import { parseRules } from '../rules/rules-file';
import { modes } from '../rules/rules';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const CREDENTIALS = 'reader:secret';
const BASIC = `Basic ${Buffer.from(CREDENTIALS).toString('base64')}`;

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
/** The registry behind a login, as registries without tokens ask for it. */
let front: Awaited<ReturnType<typeof scriptedUpstream>>;
let image: PushedImage;
let asked: { method: string | undefined; url: string | undefined; headers: IncomingHttpHeaders }[] = [];

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  image = await pushImage(registry.url, 'secret/app', { tag: 'v1', platform: ARM64 });
  const other = await pushImage(registry.url, 'secret/app', { platform: AMD64 });
  await pushIndex(registry.url, 'secret/app', [image, other], 'multi');
  front = await scriptedUpstream((request, response) => {
    const { method, url, headers } = request;
    asked.push({ method, url, headers });
    if (headers.authorization !== BASIC)
      return void response
        .writeHead(401, { 'www-authenticate': 'Basic realm="private"' })
        .end('{"errors":[{"code":"UNAUTHORIZED"}]}');
    const target = new URL(url ?? '/', registry.url);
    const onward = forward(
      target,
      { ...(method === undefined ? {} : { method }), headers: { ...headers, host: target.host } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    onward.end();
  });
});
beforeEach(() => void (asked = []));

afterAll(async () => {
  await front.stop();
  await registry.stop();
  await directory.remove();
});

describe.each(modes)('content behind a login, in mode %s', (mode) => {
  test.each([
    ['v1', 'arm64'],
    ['multi', 'arm64'],
  ])('skopeo copying %s with a login is one pull of the right platform', async (tag, arch) => {
    const gateway = await startTestGateway({ upstream: front.url, mode });
    const target = await mkdtemp(join(directory.path, 'copy-'));
    const source = `docker://${gateway.host}/secret/app:${tag}`;
    await skopeo(
      'copy',
      '--src-tls-verify=false',
      '--src-creds',
      CREDENTIALS,
      '--override-arch',
      arch,
      source,
      `dir:${target}`,
    );
    const events = await gateway.events('io.weir.pull', 'io.weir.check');
    await gateway.stop();
    expect(events.map(({ type }) => type)).toEqual(['io.weir.pull']);
    expect(events[0]?.data).toMatchObject({
      repository: 'secret/app',
      tag,
      digest: image.digest,
      platform: 'linux/arm64/v8',
    });
    expect(JSON.stringify(events) + gateway.logged()).not.toMatch(/secret:|cmVhZGVyOnNlY3JldA/);
  });

  test('without a login the challenge reaches the client, and nothing is counted', async () => {
    const gateway = await startTestGateway({ upstream: front.url, mode });
    for (const path of ['/v2/', '/v2/secret/app/manifests/v1', '/v2/secret/app/manifests/v1']) {
      const answer = await ask(gateway.url, path, { headers: { 'user-agent': 'containerd/1.7.12', accept: IMAGE } });
      expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Basic realm="private"' } });
    }
    const events = await gateway.events();
    await gateway.stop();
    expect(events).toEqual([]);
  });

  test('a client that logs in after the challenge is counted once', async () => {
    const gateway = await startTestGateway({ upstream: front.url, mode });
    const headers = { 'user-agent': 'containerd/1.7.12', accept: IMAGE };
    await ask(gateway.url, '/v2/secret/app/manifests/v1', { headers });
    const answer = await ask(gateway.url, '/v2/secret/app/manifests/v1', {
      headers: { ...headers, authorization: BASIC },
    });
    const events = await gateway.events();
    await gateway.stop();
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('private');
    expect(events.map(({ type }) => type)).toEqual(['io.weir.pull']);
  });
});

test('a repository that is closed to the public is no longer redirected to', async () => {
  let open = true;
  const changing = await scriptedUpstream((_, response) => {
    if (!open) return void response.writeHead(401, { 'www-authenticate': 'Basic realm="now"' }).end();
    response.writeHead(200, { 'content-type': IMAGE, 'docker-content-digest': image.digest }).end(image.body);
  });
  const gateway = await startTestGateway({ upstream: changing.url });
  const statuses: number[] = [];
  for (const state of [true, false, false]) {
    open = state;
    const headers = { 'user-agent': 'docker/27.1', accept: IMAGE };
    statuses.push((await ask(gateway.url, '/v2/a/manifests/v1', { headers })).status);
    await gateway.events();
  }
  const events = await gateway.events();
  await gateway.stop();
  await changing.stop();
  expect(statuses).toEqual([307, 307, 401]);
  expect(events).toHaveLength(1);
});

describe('a blob behind a login', () => {
  const path = () => `/v2/secret/app/blobs/${image.layers[0]?.digest}`;

  test.each([
    ['redirect', 'containerd/1.7.12', 307],
    ['redirect', 'containerd/1.4.8', 200],
    ['redirect', 'docker/27.1', 200],
    ['redirect', 'skopeo/1.9.3', 200],
    ['redirect', undefined, 200],
    ['auto', 'containerd/1.7.12', 200],
    ['auto', 'skopeo/1.9.3', 200],
    ['proxy', 'containerd/1.7.12', 200],
  ] as const)('in mode %s, %s: %i', async (mode, userAgent, status) => {
    const gateway = await startTestGateway({ upstream: front.url, mode });
    const headers = { authorization: BASIC, ...(userAgent === undefined ? {} : { 'user-agent': userAgent }) };
    const answer = await ask(gateway.url, path(), { headers });
    await gateway.stop();
    expect(answer.status).toBe(status);
    if (status === 307) expect(answer.headers.location).toBe(front.url + path());
    else expect(answer.body.equals(image.layers[0]?.body ?? Buffer.alloc(0))).toBe(true);
  });
});

describe('an upstream that redirects', () => {
  let storage: Awaited<ReturnType<typeof scriptedUpstream>>;
  let upstream: Awaited<ReturnType<typeof scriptedUpstream>>;
  let seenElsewhere: IncomingHttpHeaders[] = [];

  beforeAll(async () => {
    storage = await scriptedUpstream((request, response) => {
      seenElsewhere.push(request.headers);
      const { pathname } = new URL(request.url ?? '/', 'http://storage');
      if (pathname.includes('/loop')) return void response.writeHead(307, { location: request.url }).end();
      response.writeHead(200, { 'content-type': IMAGE }).end(image.body);
    });
    upstream = await scriptedUpstream((request, response) => {
      if (request.headers.authorization !== BASIC) return void response.writeHead(401).end();
      const location = request.url?.includes('/here/') ? '/v2/there/manifests/x' : `${storage.url}${request.url}`;
      if (request.url?.startsWith('/v2/there/'))
        return void response.writeHead(200, { 'content-type': IMAGE }).end(image.body);
      response.writeHead(request.url?.includes('/blobs/') ? 302 : 307, { location }).end();
    });
  });
  beforeEach(() => void (seenElsewhere = []));
  afterAll(async () => {
    await upstream.stop();
    await storage.stop();
  });

  const through = async (path: string, more: Record<string, string> = {}) => {
    const gateway = await startTestGateway({ upstream: upstream.url });
    const headers = { authorization: BASIC, cookie: 'a=b', accept: IMAGE, ...more };
    const answer = await ask(gateway.url, path, { headers });
    const events = await gateway.events();
    await gateway.stop();
    return { answer, events };
  };

  test('a manifest elsewhere is fetched there, without credentials', async () => {
    const { answer, events } = await through('/v2/a/manifests/x');
    expect(answer.status).toBe(200);
    expect(events).toHaveLength(1);
    expect(seenElsewhere.length).toBeGreaterThan(0);
  });

  // S05 of the reliability reference.
  test('another host sees none of what could be a secret, whatever it is called', async () => {
    const { answer } = await through('/v2/a/manifests/x', {
      'proxy-authorization': 'Basic c2VjcmV0',
      cookie: 'session=secret',
      'x-api-key': 'secret',
      'x-jfrog-art-api': 'secret',
      'x-registry-auth': 'secret',
      'x-meta-source-client': 'secret',
      'x-amz-security-token': 'secret',
      'private-token': 'secret',
      range: 'bytes=0-99999',
      'user-agent': 'something/1.0',
    });
    expect(answer.status).toBe(200);
    expect(seenElsewhere.length).toBeGreaterThan(0);
    const allowed = ['accept', 'accept-encoding', 'connection', 'host', 'range', 'user-agent'];
    for (const headers of seenElsewhere) {
      expect(allowed).toEqual(expect.arrayContaining(Object.keys(headers)));
      expect(headers).toMatchObject({ accept: expect.any(String) as string });
      expect(JSON.stringify(headers)).not.toMatch(/secret|c2VjcmV0/);
    }
  });

  test('nor does its own host, once the way has led over another', async () => {
    const seenBack: IncomingHttpHeaders[] = [];
    const other = await scriptedUpstream((_, response) => {
      response.writeHead(307, { location: `${home.url}/v2/back/manifests/x` }).end();
    });
    const home = await scriptedUpstream((request, response) => {
      if (request.url?.startsWith('/v2/back/') === true) seenBack.push(request.headers);
      else return void response.writeHead(307, { location: `${other.url}/x` }).end();
      response.writeHead(200, { 'content-type': IMAGE }).end(image.body);
    });
    const gateway = await startTestGateway({ upstream: home.url, mode: 'proxy' });
    const answer = await ask(gateway.url, '/v2/a/manifests/x', { headers: { authorization: BASIC, accept: IMAGE } });
    for (const server of [gateway, home, other]) await server.stop();
    expect(answer.status).toBe(200);
    expect(seenBack.length).toBeGreaterThan(0);
    for (const headers of seenBack) expect(headers).not.toHaveProperty('authorization');
  });

  test('a manifest at another path of its own is fetched there with them', async () => {
    expect((await through('/v2/here/manifests/x')).answer.status).toBe(200);
  });

  test('a blob elsewhere is fetched by the client itself', async () => {
    const path = `/v2/a/blobs/${image.layers[0]?.digest}`;
    const { answer } = await through(path);
    expect(answer).toMatchObject({ status: 302, headers: { location: storage.url + path } });
    expect(seenElsewhere).toEqual([]);
  });

  test('redirects without end are answered 502', async () => {
    const { answer, events } = await through('/v2/loop/manifests/x');
    expect(answer.status).toBe(502);
    expect(seenElsewhere.length).toBeLessThanOrEqual(4);
    expect(events).toEqual([]);
  });
});

describe('who and what, by configured rules', () => {
  const rules = (extra: object) => {
    const hash = createHash('sha256').update(CREDENTIALS).digest('hex');
    const read = parseRules({
      upstreams: { hub: { url: front.url } },
      rules: [{ upstream: 'hub', ...extra }],
      organizations: { [hash]: 'example.com' },
    });
    if (!read.ok) throw new Error(read.problems.join());
    return read.rules;
  };
  const pull = async (extra: object, headers: Record<string, string> = {}) => {
    const gateway = await startTestGateway({ rules: rules(extra) });
    await ask(gateway.url, '/v2/secret/app/manifests/v1', {
      headers: { accept: IMAGE, authorization: BASIC, ...headers },
    });
    const events = await gateway.events();
    await gateway.stop();
    return events;
  };

  test('a listed credential that the upstream accepts has its organization', async () => {
    const [event] = await pull({});
    expect(event?.data).toMatchObject({ user: { organization: 'example.com' }, registry: 'hub' });
  });

  test('one that it refuses has none, and is no pull', async () => {
    expect(await pull({}, { authorization: `Basic ${Buffer.from('reader:wrong').toString('base64')}` })).toEqual([]);
  });

  test.each([
    [true, true],
    [{ image: 'secret/*', tag: 'v*' }, true],
    [{ tag: 'w*' }, undefined],
    [{ image: 'other/**' }, undefined],
    [{ label: 'fusion' }, undefined],
    [false, undefined],
  ])('fusion by the rule %j: %s', async (fusion, expected) => {
    const [event] = await pull({ fusion });
    expect(event?.type).toBe('io.weir.pull');
    expect(event?.data['fusion']).toBe(expected);
  });

  test('fusion by a label of the image, also behind an index that names the platform', async () => {
    const labels = { 'io.example.fusion': 'v2.4', other: 'x' };
    const labelled = await pushImage(registry.url, 'secret/fusion', { tag: 'one', labels });
    await pushIndex(registry.url, 'secret/fusion', [labelled], 'index');
    const gateway = await startTestGateway({ rules: rules({ fusion: { label: 'io.example.fusion=v*' } }) });
    const headers = { authorization: BASIC, accept: `${IMAGE}, application/vnd.oci.image.index.v1+json` };
    for (const reference of ['index', labelled.digest, 'one'])
      await ask(gateway.url, `/v2/secret/fusion/manifests/${reference}`, { headers });
    const events = await gateway.events();
    await gateway.stop();
    expect(events.map(({ data }) => [data['tag'], data['fusion'], data['platform']])).toEqual([
      ['index', true, 'linux/amd64'],
      ['one', true, 'linux/amd64'],
    ]);
  });
});
