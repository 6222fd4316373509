import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { seeded, startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { ask, scriptedUpstream, skopeo, startTestGateway, type TestGateway } from '../gateway.test-support';
import {
  AMD64,
  pushImage,
  pushIndex,
  pushManifest,
  pushTeam,
  type Pushed,
  type PushedImage,
} from '../images.test-support';
import { modes } from '../rules/rules';
import { QUIET_MS } from './downloads';
import { FOLLOW_MS } from './visits';

const PULL = 'io.weir.pull';
const CHECK = 'io.weir.check';
const DOWNLOAD = 'io.weir.download';
const REFERRER = 'io.weir.referrer';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY = 'application/vnd.oci.empty.v1+json';
const LAYER_BYTES = 4000;

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
let single: PushedImage;
let arm64: PushedImage;
let index: Pushed;

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  ({ single, arm64, index } = await pushTeam(registry.url, { indexTag: 'v1', layerBytes: LAYER_BYTES }));
});

afterAll(async () => {
  await registry.stop();
  await directory.remove();
});

interface Ask {
  method?: 'GET' | 'HEAD';
  path: string;
  range?: string;
}

/** User agents and dances as reference 2.3 and 2.4 have them; `{layer}` is fetched whole or in ranges. */
const manifest = (image: string, reference: string, method: 'GET' | 'HEAD' = 'GET'): Ask => ({
  method,
  path: `/v2/team/${image}/manifests/${reference}`,
});
const layerOf = (image: string, { layers }: PushedImage, range?: string): Ask => ({
  path: `/v2/team/${image}/blobs/${layers[0]?.digest}`,
  ...(range === undefined ? {} : { range }),
});
const halves = (image: string, of: PushedImage) =>
  ['bytes=0-1999', 'bytes=2000-3999'].map((range) => layerOf(image, of, range));

const DANCES: [string, string, () => Ask[]][] = [
  [
    'docker',
    'docker/27.1.1 go/go1.21.12 git-commit/cc13f95 kernel/6.1.0 os/linux arch/amd64 UpstreamClient(Docker-Client/27.1.1 \\(linux\\))',
    () => [
      { path: '/v2/' },
      manifest('multi', 'v1', 'HEAD'),
      manifest('multi', index.digest),
      manifest('multi', arm64.digest),
      layerOf('multi', arm64),
    ],
  ],
  [
    'containerd 2 with parallel ranges',
    'containerd/v2.0.1',
    () => [
      manifest('multi', 'v1', 'HEAD'),
      manifest('multi', index.digest),
      manifest('multi', arm64.digest),
      ...halves('multi', arm64),
    ],
  ],
  [
    'containerd by digest',
    'containerd/1.7.12',
    () => [manifest('multi', arm64.digest, 'HEAD'), manifest('multi', arm64.digest), layerOf('multi', arm64)],
  ],
  [
    'containerd whose HEAD was refused',
    'containerd/1.7.12',
    () => [
      manifest('multi', 'v1'),
      manifest('multi', index.digest),
      manifest('multi', arm64.digest),
      layerOf('multi', arm64),
    ],
  ],
  [
    'podman',
    'containers/5.29.2 (github.com/containers/image)',
    () => [{ path: '/v2/' }, manifest('multi', 'v1'), manifest('multi', arm64.digest), layerOf('multi', arm64)],
  ],
  [
    'cri-o by digest',
    'cri-o/1.30.0 go/go1.22 os/linux arch/arm64',
    () => [{ path: '/v2/' }, manifest('multi', arm64.digest), layerOf('multi', arm64)],
  ],
  [
    'crane',
    'crane/v0.19.0 go-containerregistry/v0.19.0',
    () => [{ path: '/v2/' }, manifest('multi', 'v1'), manifest('multi', arm64.digest), layerOf('multi', arm64)],
  ],
];

describe.each(modes)('in mode %s', (mode) => {
  let gateway: TestGateway;

  beforeEach(async () => {
    gateway = await startTestGateway({ upstream: registry.url, mode });
  });
  afterEach(() => gateway.stop());

  const send = async ({ method = 'GET', path, range }: Ask, userAgent: string) => {
    const headers = {
      'user-agent': userAgent,
      accept: `${INDEX}, ${IMAGE}`,
      ...(range === undefined ? {} : { range }),
    };
    expect((await ask(gateway.url, path, { method, headers })).status).toBeLessThan(400);
  };
  const kindsOf = async () => (await gateway.events(REFERRER, PULL)).map(({ type, data }) => [type, data['kind']]);

  describe.each(DANCES)('%s', (_, userAgent, dance) => {
    test('is one pull of its platform, no check, and one download of its bytes', async () => {
      for (const step of dance()) await send(step, userAgent);
      const events = await gateway.events();
      expect(events.map(({ type }) => type)).toEqual([PULL, DOWNLOAD]);
      const [pull, download] = events;
      expect(pull?.data).toMatchObject({
        repository: 'team/multi',
        kind: 'image',
        digest: arm64.digest,
        platform: 'linux/arm64/v8',
      });
      expect(download?.data).toMatchObject({
        pull: pull?.id,
        repository: 'team/multi',
        digest: arm64.digest,
        platform: 'linux/arm64/v8',
        bytes: LAYER_BYTES,
        layers: 1,
      });
      expect(download?.time).toBe(pull?.time);
    });

    test('from a hundred machines behind one address, in any order, is a hundred', async () => {
      const machines = 100;
      // A machine waits for its answer before it asks for more; which one comes next is chance.
      const random = seeded(1);
      const idle = Array.from({ length: machines }, () => dance());
      const busy = async () => {
        while (idle.length > 0) {
          const [machine = []] = idle.splice(Math.floor(random() * idle.length), 1);
          await send(machine.shift() as Ask, userAgent);
          if (machine.length > 0) idle.push(machine);
        }
      };
      await Promise.all(Array.from({ length: 8 }, busy));
      const events = await gateway.events();
      const count = (type: string) => events.filter((event) => event.type === type).length;
      expect([count(PULL), count(CHECK), count(DOWNLOAD)]).toEqual([machines, 0, machines]);
      const bytes = events.filter(({ type }) => type === DOWNLOAD).map(({ data }) => data['bytes'] as number);
      expect(bytes.reduce((sum, one) => sum + one, 0)).toBe(machines * LAYER_BYTES);
    });
  });

  test('a poller is a check each time', async () => {
    for (let n = 0; n < 3; n += 1) {
      await send(manifest('single', 'v1', 'HEAD'), 'Watchtower (Docker)');
      await gateway.pass(FOLLOW_MS);
    }
    expect((await gateway.events()).map(({ type }) => type)).toEqual([CHECK, CHECK, CHECK]);
  });

  test('a HEAD that is followed too late is a check, and what follows is a pull with its tag', async () => {
    await send(manifest('single', 'v1', 'HEAD'), 'containerd/1.7.12');
    await gateway.pass(FOLLOW_MS + 1);
    await send(manifest('single', single.digest), 'containerd/1.7.12');
    expect((await gateway.events()).map(({ type, data }) => [type, data['tag']])).toEqual([
      [CHECK, 'v1'],
      [PULL, 'v1'],
    ]);
  });

  test('a HEAD and a GET that finds nothing new are one check; a HEAD that finds nothing new is its own', async () => {
    const headers = { 'user-agent': 'docker/27.1', accept: IMAGE };
    const unchanged = { ...headers, 'if-none-match': `"${single.digest}"` };
    const path = '/v2/team/single/manifests/v1';
    await ask(gateway.url, path, { method: 'HEAD', headers });
    await ask(gateway.url, path, { headers: unchanged });
    expect((await gateway.events()).map(({ type }) => type)).toEqual([CHECK]);
    await ask(gateway.url, path, { method: 'HEAD', headers });
    await ask(gateway.url, path, { method: 'HEAD', headers: unchanged });
    expect((await gateway.events()).map(({ type }) => type)).toEqual([CHECK, CHECK, CHECK]);
  });

  test('a loop of GETs by tag is a pull each time', async () => {
    for (let n = 0; n < 4; n += 1) await send(manifest('single', 'v1'), 'docker/27.1');
    expect(await gateway.events(PULL, CHECK)).toHaveLength(4);
  });

  test('a GET by tag and one by digest are one pull within five seconds, two beyond', async () => {
    await send(manifest('single', 'v1'), 'containerd/1.7.12');
    await send(manifest('single', single.digest), 'containerd/1.7.12');
    await gateway.pass(0);
    expect(await gateway.metric('weir_gateway_repeated_pulls_total')).toBe(1);
    await gateway.pass(FOLLOW_MS + 1);
    await send(manifest('single', single.digest), 'containerd/1.7.12');
    expect(await gateway.events(PULL, CHECK)).toHaveLength(2);
  });

  test('a pull whose layers are not fetched is an invocation: it has no download', async () => {
    await send(manifest('single', 'v1'), 'docker/27.1');
    await gateway.pass(QUIET_MS);
    expect((await gateway.events()).map(({ type }) => type)).toEqual([PULL]);
  });

  test('the configuration is no layer', async () => {
    await send(manifest('single', 'v1'), 'docker/27.1');
    const { config } = JSON.parse(single.body.toString()) as { config: { digest: string } };
    await send({ path: `/v2/team/single/blobs/${config.digest}` }, 'docker/27.1');
    await gateway.pass(QUIET_MS);
    expect((await gateway.events()).map(({ type }) => type)).toEqual([PULL]);
  });

  test('half a layer, asked for again and again, is a download of half its bytes', async () => {
    await send(manifest('single', 'v1'), 'docker/27.1');
    for (let n = 0; n < 3; n += 1) await send(layerOf('single', single, 'bytes=0-1999'), 'docker/27.1');
    await send({ method: 'HEAD', path: layerOf('single', single).path }, 'docker/27.1');
    expect(await gateway.events(DOWNLOAD)).toEqual([]);
    await gateway.pass(QUIET_MS);
    expect((await gateway.events(DOWNLOAD)).map(({ data }) => data['bytes'])).toEqual([2000]);
  });

  test('what still waits is published when the gateway stops', async () => {
    await send(manifest('single', 'v1'), 'docker/27.1');
    await send(layerOf('single', single, 'bytes=0-999'), 'docker/27.1');
    await send(manifest('multi', 'v1', 'HEAD'), 'docker/27.1');
    const events = await gateway.events(PULL);
    expect(events).toHaveLength(1);
    await send(manifest('multi', 'v1', 'HEAD'), 'docker/27.1');
    await gateway.stop();
    const types = (await gateway.events()).map(({ type }) => type).sort();
    expect(types).toEqual([CHECK, CHECK, DOWNLOAD, PULL]);
  });

  test('skopeo copying an image is a pull and a download of all layers', async () => {
    const target = await mkdtemp(join(directory.path, 'copy-'));
    await skopeo('copy', '--src-tls-verify=false', `docker://${gateway.host}/team/single:v1`, `dir:${target}`);
    const events = await gateway.events();
    expect(events.map(({ type, data }) => [type, data['layers'] ?? data['kind']])).toEqual([
      [PULL, 'image'],
      [DOWNLOAD, 1],
    ]);
  });

  test('buildah pulling an image is a pull and a download; pulling it again with the layers there, an invocation', async () => {
    const storage = ['--root', join(directory.path, `storage-${mode}`), '--storage-driver', 'vfs'];
    const pull = () =>
      promisify(execFile)('buildah', [
        ...storage,
        '--runroot',
        join(directory.path, `run-${mode}`),
        'pull',
        '--policy',
        'always',
        '--tls-verify=false',
        `${gateway.host}/team/real:v1`,
      ]);
    await pushReal(registry, directory.path);
    for (let n = 0; n < 2; n += 1) {
      await pull();
      await gateway.pass(QUIET_MS);
    }
    expect((await gateway.events()).map(({ type }) => type)).toEqual([PULL, DOWNLOAD, PULL]);
  });

  test('an attestation in an index is a referrer, and the image beside it has its platform', async () => {
    const attestation = await pushManifest(registry.url, 'team/attested', {
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        content: '{"os":"unknown","architecture":"unknown"}',
      },
      layers: [{ mediaType: 'application/vnd.in-toto+json', content: '{"statement":1}' }],
    });
    const image = await pushImage(registry.url, 'team/attested', { platform: AMD64 });
    const annotations = {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.digest,
    };
    const unknown = { os: 'unknown', architecture: 'unknown' };
    await pushIndex(registry.url, 'team/attested', [image, { ...attestation, platform: unknown, annotations }], 'v1');
    const target = await mkdtemp(join(directory.path, 'copy-'));
    await skopeo(
      'copy',
      '--all',
      '--src-tls-verify=false',
      `docker://${gateway.host}/team/attested:v1`,
      `dir:${target}`,
    );
    const events = await gateway.events(PULL, REFERRER);
    expect(events.map(({ type, data }) => [type, data['kind'], data['platform']]).sort()).toEqual([
      [PULL, 'image', 'linux/amd64'],
      [REFERRER, 'attestation', undefined],
    ]);
  });

  test('a chart pulled as helm does is one pull of a chart, and a download', async () => {
    const layer = { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', content: 'a chart' };
    const chart = await pushManifest(registry.url, 'charts/app', {
      tag: '1.0.0',
      config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', content: '{"name":"app","version":"1.0.0"}' },
      layers: [layer],
    });
    const path = '/v2/charts/app';
    for (const step of [
      { path: `${path}/tags/list` },
      { method: 'HEAD' as const, path: `${path}/manifests/1.0.0` },
      { path: `${path}/manifests/${chart.digest}` },
      { path: `${path}/blobs/${chart.layers[0]?.digest}` },
    ])
      await send(step, 'Helm/3.13.3');
    const events = await gateway.events();
    expect(events.map(({ type, data }) => [type, data['kind'], data['artifactType'], data['tag']])).toEqual(
      [PULL, DOWNLOAD].map((type) => [type, 'helm-chart', 'application/vnd.cncf.helm.config.v1+json', '1.0.0']),
    );
  });

  test('another artifact is a pull that says what it is', async () => {
    await pushManifest(registry.url, 'team/artifact', {
      tag: 'v1',
      artifactType: 'application/vnd.example.model.v1',
      config: { mediaType: EMPTY, content: '{}' },
      layers: [{ mediaType: 'application/octet-stream', content: 'weights' }],
    });
    await send(manifest('artifact', 'v1'), 'oras/1.2.0');
    const [pull] = await gateway.events(PULL);
    expect(pull?.data).toMatchObject({ kind: 'artifact', artifactType: 'application/vnd.example.model.v1' });
    expect(pull?.data).not.toHaveProperty('platform');
  });

  test('what cosign verifies with is no pull, and its HEADs are no checks', async () => {
    const base = single.digest.replace(':', '-');
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', content: '{}' };
    const attached: [string, string][] = [
      ['sig', 'application/vnd.dev.cosign.simplesigning.v1+json'],
      ['att', 'application/vnd.dsse.envelope.v1+json'],
      ['sbom', 'text/something-new'],
    ];
    for (const [suffix, mediaType] of attached) {
      const tag = `${base}.${suffix}`;
      await pushManifest(registry.url, 'team/single', { tag, config, layers: [{ mediaType, content: suffix }] });
      await send(manifest('single', tag, 'HEAD'), 'cosign/v2.4.1 (linux; amd64)');
      await send(manifest('single', tag), 'cosign/v2.4.1 (linux; amd64)');
    }
    expect(await kindsOf()).toEqual([
      [REFERRER, 'signature'],
      [REFERRER, 'attestation'],
      [REFERRER, 'sbom'],
    ]);
    expect(await gateway.events(PULL, CHECK)).toEqual([]);
  });

  test('a referrer of an unknown kind is one of another kind', async () => {
    const subject = { mediaType: IMAGE, digest: single.digest, size: single.body.length };
    const { digest } = await pushManifest(registry.url, 'team/single', {
      artifactType: 'application/vnd.example.review+json',
      config: { mediaType: EMPTY, content: '{}' },
      layers: [{ mediaType: 'application/json', content: '{}' }],
      subject,
    });
    await send(manifest('single', digest), 'oras/1.2.0');
    expect(await kindsOf()).toEqual([[REFERRER, 'other']]);
  });
});

test('a list of referrers is one, by the API and by the tag that stands for it; a failed one is none', async () => {
  const digest = `sha256:${'ab'.repeat(32)}`;
  const upstream = await scriptedUpstream((request, response) => {
    if (request.url?.includes('/none/')) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': INDEX }).end('{"schemaVersion":2,"manifests":[]}');
  });
  const gateway = await startTestGateway({ upstream: upstream.url });
  const headers = { 'user-agent': 'cosign/v3.0.0' };
  await ask(gateway.url, `/v2/team/app/referrers/${digest}?artifactType=a`, { headers });
  await ask(gateway.url, `/v2/none/app/referrers/${digest}`, { headers });
  await ask(gateway.url, `/v2/team/app/manifests/${digest.replace(':', '-')}`, { headers });
  const events = await gateway.events();
  await gateway.stop();
  await upstream.stop();
  expect(events.map(({ type, data }) => [type, data['kind'], data['repository']])).toEqual(
    Array(2).fill([REFERRER, 'list', 'team/app']),
  );
  expect(events[0]?.data['digest']).toBe(digest);
});

test('what a gateway streams itself counts as far as it was sent', async () => {
  const image = JSON.stringify({ layers: [{ mediaType: 'a/b', digest: `sha256:${'cd'.repeat(32)}`, size: 100_000 }] });
  const upstream = await scriptedUpstream((request, response) => {
    if (request.url === '/v2/') return void response.writeHead(200).end();
    if (request.url?.includes('/manifests/')) return void response.writeHead(200, { 'content-type': IMAGE }).end(image);
    // Promises a whole layer, sends a third and breaks off.
    response.writeHead(200, { 'content-length': 100_000 });
    response.write(Buffer.alloc(30_000), () => setImmediate(() => response.destroy()));
  });
  const gateway = await startTestGateway({ upstream: upstream.url, mode: 'proxy' });
  const headers = { 'user-agent': 'skopeo/1.9.3', authorization: 'Basic eDp5' };
  await ask(gateway.url, '/v2/a/manifests/v1', { headers });
  await expect(ask(gateway.url, `/v2/a/blobs/sha256:${'cd'.repeat(32)}`, { headers })).rejects.toThrow();
  await gateway.pass(QUIET_MS);
  const [download] = await gateway.events(DOWNLOAD);
  await gateway.stop();
  await upstream.stop();
  expect(download?.data).toMatchObject({ bytes: 30_000, layers: 1 });
});

/** An image that can be unpacked, made and pushed by buildah itself. */
async function pushReal({ url }: PrivateServer, path: string): Promise<void> {
  const run = promisify(execFile);
  const options = ['--root', join(path, 'made'), '--runroot', join(path, 'made-run'), '--storage-driver', 'vfs'];
  const { stdout } = await run('buildah', [...options, 'from', 'scratch']);
  const container = stdout.trim();
  await run('buildah', [...options, 'add', container, __filename, '/a-file']);
  const { stdout: id } = await run('buildah', [...options, 'commit', container]);
  const target = `docker://${new URL(url).host}/team/real:v1`;
  await run('buildah', [...options, 'push', '--tls-verify=false', id.trim(), target]);
}
