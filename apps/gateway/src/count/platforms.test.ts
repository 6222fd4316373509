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
