import { createHash } from 'node:crypto';
import { ask, scriptedUpstream, startTestGateway } from '../gateway.test-support';
import { modes } from '../rules/rules';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';

const contents = new Map<string, { type: string; body: Buffer }>();
const add = (type: string, value: unknown): string => {
  const body = Buffer.from(JSON.stringify(value));
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  contents.set(digest, { type, body });
  return digest;
};
const UNKNOWN = { os: 'unknown', architecture: 'unknown' };

/** An image whose configuration says one platform, and which an index lists with another, or with none. */
const image = (own: object, inIndex?: object) => {
  const config = add('application/octet-stream', { ...own, n: contents.size });
  return { digest: add(IMAGE, { mediaType: IMAGE, config: { digest: config, size: 1 }, layers: [] }), inIndex };
};

const CASES = {
  'the index names it': [image({ os: 'linux', architecture: 'arm' }, { os: 'linux', architecture: 'arm', variant: 'v6' }), 'linux/arm/v6'],
  'another variant of the same architecture': [image({ os: 'linux', architecture: 'arm' }, { os: 'linux', architecture: 'arm' }), 'linux/arm/v7'],
  'another name of the architecture': [image({ os: 'linux', architecture: 'aarch64' }, { os: 'linux', architecture: 'aarch64' }), 'linux/arm64/v8'],
  'a version of Windows': [image({ os: 'windows', architecture: 'amd64' }, { os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763.5329' }), 'windows(10.0.17763)/amd64'],
  'another version of Windows': [image({ os: 'windows', architecture: 'amd64' }, { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.2227' }), 'windows(10.0.20348)/amd64'],
  'only the image names it': [image({ os: 'linux', architecture: 'arm', variant: 'v5' }), 'linux/arm/v5'],
  'the index says unknown, the image knows': [image({ os: 'linux', architecture: 's390x' }, UNKNOWN), 'linux/s390x'],
  'nobody knows': [image(UNKNOWN, UNKNOWN), undefined],
} as const; // prettier-ignore

const index = add(INDEX, {
  mediaType: INDEX,
  manifests: Object.values(CASES).map(([{ digest, inIndex }]) => ({
    mediaType: IMAGE,
    digest,
    size: 1,
    platform: inIndex,
  })),
});

let upstream: Awaited<ReturnType<typeof scriptedUpstream>>;
beforeAll(async () => {
  upstream = await scriptedUpstream((request, response) => {
    const reference = request.url?.split('/').at(-1) ?? '';
    const digest = reference === 'multi' ? index : reference;
    const found = contents.get(digest);
    if (found === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': found.type, 'docker-content-digest': digest });
    response.end(request.method === 'HEAD' ? undefined : found.body);
  });
});
afterAll(() => upstream.stop());

test.each(modes)('in mode %s every platform is an event with its own value, once', async (mode) => {
  const gateway = await startTestGateway({ upstream: upstream.url, mode });
  const get = (reference: string) =>
    ask(gateway.url, `/v2/a/manifests/${reference}`, {
      headers: { accept: `${INDEX}, ${IMAGE}`, 'user-agent': 'skopeo/1.9.3' },
    });
  await get('multi');
  for (const [{ digest }] of Object.values(CASES)) await get(digest);
  const events = await gateway.events();
  await gateway.stop();
  expect(events.map(({ data }) => [data['digest'], data['platform']])).toEqual(
    Object.values(CASES).map(([{ digest }, platform]) => [digest, platform]),
  );
});

describe('an index that says something else of an image than it says itself', () => {
  const layers = [
    { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${'1'.repeat(64)}`, size: 1 },
  ];
  const config = add('application/octet-stream', { os: 'linux', architecture: 'riscv64' });
  const victim = add(IMAGE, { mediaType: IMAGE, config: { digest: config, size: 1 }, layers });
  const entry = { mediaType: IMAGE, digest: victim, size: 1 };
  const wrongPlatform = { ...entry, platform: { os: 'windows', architecture: 'amd64' } };
  const attests = { ...entry, platform: UNKNOWN, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } };

  async function pulledAfter(indexDigest: string, repository: string, mode: (typeof modes)[number]) {
    const gateway = await startTestGateway({ upstream: upstream.url, mode });
    const headers = { accept: `${INDEX}, ${IMAGE}`, 'user-agent': 'skopeo/1.9.3' };
    await ask(gateway.url, `/v2/${repository}/manifests/${indexDigest}`, { headers });
    await ask(gateway.url, `/v2/victim/manifests/${victim}`, { headers });
    const events = await gateway.events();
    await gateway.stop();
    return events.map(({ type, data }) => [type, data['kind'], data['platform']]);
  }
  const asItIs = [['io.weir.pull', 'image', 'linux/riscv64']];

  describe.each(modes)('in mode %s', (mode) => {
    test.each([['another platform', wrongPlatform], ['that it attests', attests]])('%s, in another repository: means nothing', async (_, said) =>
      expect(await pulledAfter(add(INDEX, { mediaType: INDEX, manifests: [said] }), 'attacker', mode)).toEqual(asItIs),
    ); // prettier-ignore
  });

  test('in the same repository, but not what its digest names: means nothing', async () => {
    const digest = `sha256:${'e'.repeat(64)}`;
    contents.set(digest, { type: INDEX, body: Buffer.from(JSON.stringify({ manifests: [wrongPlatform] })) });
    expect(await pulledAfter(digest, 'victim', 'redirect')).toEqual(asItIs);
  });

  test('an index that two repositories have says the same in both', async () => {
    const gateway = await startTestGateway({ upstream: upstream.url, mode: 'proxy' });
    const multi = add(INDEX, { mediaType: INDEX, manifests: [{ ...entry, platform: { os: 'linux', architecture: 'riscv64', variant: 'rva22' } }] }); // prettier-ignore
    for (const repository of ['victim', 'copy'])
      for (const digest of [multi, victim])
        await ask(gateway.url, `/v2/${repository}/manifests/${digest}`, { headers: { accept: `${INDEX}, ${IMAGE}` } });
    const events = await gateway.events();
    await gateway.stop();
    expect(events.map(({ data }) => data['platform'])).toEqual(Array(2).fill('linux/riscv64/rva22'));
  });
});
