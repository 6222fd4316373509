import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { ask, skopeo, startTestGateway, type TestGateway } from '../gateway.test-support';
import { pushTeam, type Pushed, type PushedImage } from '../images.test-support';
import { modes } from '../rules/rules';

const PULL = 'io.weir.pull';
const CHECK = 'io.weir.check';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
let single: PushedImage;
let amd64: PushedImage;
let arm64: PushedImage;
let index: Pushed;

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  ({ single, amd64, arm64, index } = await pushTeam(registry.url, { indexTag: 'latest' }));
});

afterAll(async () => {
  await registry.stop();
  await directory.remove();
});

describe.each(modes)('in mode %s', (mode) => {
  let gateway: TestGateway;

  beforeEach(async () => {
    gateway = await startTestGateway({ upstream: registry.url, mode }, { GATEWAY_NAME: 'here' });
  });
  afterEach(() => gateway.stop());

  const copy = async (image: string, ...options: string[]) => {
    const target = await mkdtemp(join(directory.path, 'copy-'));
    await skopeo('copy', '--src-tls-verify=false', ...options, `docker://${gateway.host}/${image}`, `dir:${target}`);
  };

  test('skopeo copying a single image is exactly one pull, with everything that is known of it', async () => {
    const before = Date.now();
    await copy('team/single:v1');
    const events = await gateway.events(PULL, CHECK);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ type: 'io.weir.pull', source: 'weir/gateway/here', subject: 'team/single' });
    expect(events[0]?.data).toEqual({
      repository: 'team/single',
      tag: 'v1',
      digest: single.digest,
      kind: 'image',
      platform: 'linux/arm64/v8',
      bytes: single.bytes,
      client: { name: 'skopeo', version: expect.stringMatching(/^\d+\.\d+/) as string },
      source: { day: expect.any(String) as string, month: expect.any(String) as string },
      pattern: 'unknown',
      registry: new URL(registry.url).host,
    });
    expect(Date.parse(events[0]?.time ?? '')).toBeGreaterThanOrEqual(before);
  });

  test.each([
    ['amd64', 'linux/amd64', () => amd64],
    ['arm64', 'linux/arm64/v8', () => arm64],
  ])('skopeo copying %s out of an index is exactly one pull of that platform', async (arch, platform, image) => {
    await copy('team/multi:latest', '--override-arch', arch);
    const events = await gateway.events(PULL, CHECK);
    expect(events.map(({ type }) => type)).toEqual(['io.weir.pull']);
    expect(events[0]?.data).toMatchObject({
      repository: 'team/multi',
      tag: 'latest',
      platform,
      digest: image().digest,
      bytes: image().bytes,
    });
  });

  test('skopeo copying all platforms is one pull for each', async () => {
    await copy('team/multi:latest', '--all');
    const events = await gateway.events(PULL, CHECK);
    expect(events.map(({ data }) => data['platform']).sort()).toEqual(['linux/amd64', 'linux/arm64/v8']);
  });

  test('each copy counts again', async () => {
    await copy('team/single:v1');
    await copy('team/single:v1');
    await copy(`team/single@${single.digest}`);
    expect((await gateway.events(PULL, CHECK)).map(({ type }) => type)).toEqual(Array(3).fill('io.weir.pull'));
  });

  test('no byte of a blob flows through the gateway', async () => {
    await copy('team/single:v1');
    expect(await gateway.metric('weir_gateway_streamed_blob_bytes_total')).toBe(0);
    expect(await gateway.metric('weir_gateway_requests_total', { route: 'blob', answer: 'redirect' })).toBe(2);
  });

  test('an index alone is a step, not a pull', async () => {
    await ask(gateway.url, '/v2/team/multi/manifests/latest', {
      headers: { accept: INDEX, 'user-agent': 'docker/27.1' },
    });
    expect(await gateway.events()).toEqual([]);
  });

  test('a HEAD is a check', async () => {
    for (const reference of ['latest', amd64.digest]) {
      const headers = { accept: `${INDEX}, ${IMAGE}`, 'user-agent': 'containerd/1.7.12' };
      const answer = await ask(gateway.url, `/v2/team/multi/manifests/${reference}`, { method: 'HEAD', headers });
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'docker-content-digest': expect.stringMatching(/^sha256:/) },
      });
    }
    expect(
      (await gateway.events()).map(({ type, data }) => [type, data['tag'], data['digest'], data['client']]),
    ).toEqual([
      ['io.weir.check', 'latest', index.digest, { name: 'containerd', version: '1.7.12' }],
      ['io.weir.check', undefined, amd64.digest, { name: 'containerd', version: '1.7.12' }],
    ]);
  });

  test('a GET that finds nothing new is a check', async () => {
    const headers = { accept: IMAGE, 'user-agent': 'docker/27.1', 'if-none-match': `"${single.digest}"` };
    await ask(gateway.url, '/v2/team/single/manifests/v1', { headers });
    expect((await gateway.events()).map(({ type }) => type)).toEqual(['io.weir.check']);
  });

  test('what is not there is not counted', async () => {
    const headers = { accept: IMAGE, 'user-agent': 'docker/27.1' };
    for (const method of ['GET', 'HEAD'])
      for (const path of ['/v2/team/single/manifests/none', `/v2/team/none/manifests/${single.digest}`])
        expect((await ask(gateway.url, path, { method, headers })).status).toBe(404);
    expect(await gateway.events()).toEqual([]);
  });

  test('a missing tag of a repository that is known to be open is not counted either', async () => {
    const headers = { accept: IMAGE, 'user-agent': 'docker/27.1' };
    await ask(gateway.url, '/v2/team/single/manifests/v1', { headers });
    await ask(gateway.url, '/v2/team/single/manifests/none', { headers });
    expect(await gateway.events()).toHaveLength(1);
  });

  test('the tag is known of a client that asks for it with HEAD and pulls by digest', async () => {
    const headers = { accept: `${INDEX}, ${IMAGE}`, 'user-agent': 'containerd/1.7.12' };
    await ask(gateway.url, '/v2/team/multi/manifests/latest', { method: 'HEAD', headers });
    await ask(gateway.url, `/v2/team/multi/manifests/${index.digest}`, { headers });
    await ask(gateway.url, `/v2/team/multi/manifests/${arm64.digest}`, { headers });
    const pulls = (await gateway.events()).filter(({ type }) => type === 'io.weir.pull');
    expect(pulls.map(({ data }) => [data['tag'], data['platform']])).toEqual([['latest', 'linux/arm64/v8']]);
  });

  test('a pull by digest that no tag led to has none', async () => {
    const headers = { accept: IMAGE, 'user-agent': 'crane/v0.19.0' };
    await ask(gateway.url, '/v2/team/multi/manifests/latest', { headers: { ...headers, 'user-agent': 'docker/27.1' } });
    await ask(gateway.url, `/v2/team/multi/manifests/${arm64.digest}`, { headers });
    const [pull] = (await gateway.events()).filter(({ data }) => data['digest'] === arm64.digest);
    expect(pull?.data).not.toHaveProperty('tag');
    expect(pull?.data).toMatchObject({ platform: 'linux/arm64/v8', bytes: arm64.bytes });
  });
});

test('a publisher that never answers, as over a disk that hangs, delays no pull', async () => {
  let published = 0;
  const hanging = { publishAll: () => new Promise<never>(() => (published += 1)) };
  const gateway = await startTestGateway({ upstream: registry.url, mode: 'proxy' }, {}, hanging);
  for (let n = 1; n <= 3; n += 1) {
    expect((await ask(gateway.url, '/v2/team/single/manifests/v1', { headers: { accept: IMAGE } })).status).toBe(200);
    await gateway.events();
    expect(published).toBe(n);
  }
  await gateway.stop();
});
