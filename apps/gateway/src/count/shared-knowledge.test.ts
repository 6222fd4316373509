import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { isolated, startRedis, temporaryDirectory, until, type Isolated } from '@weir/testing';
import { Redis } from 'ioredis';
import { ask, scriptedUpstream, startTestGateway, type TestGateway } from '../gateway.test-support';
import { parseRules } from '../rules/rules-file';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const ACCEPT = `${INDEX}, ${IMAGE}`;

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const digestOf = (body: Buffer): string => `sha256:${createHash('sha256').update(body).digest('hex')}`;

/** Contents of a registry, by digest; `multi` is an index over all of them. */
const contents = new Map<string, { type: string; body: Buffer }>();
const add = (type: string, value: unknown): string => {
  const body = json(value);
  contents.set(digestOf(body), { type, body });
  return digestOf(body);
};

const PLATFORMS = {
  'linux/arm64/v8': { os: 'linux', architecture: 'arm64' },
  'linux/arm/v6': { os: 'linux', architecture: 'arm', variant: 'v6' },
  'linux/arm/v7': { os: 'linux', architecture: 'arm' },
  'windows(10.0.20348)/amd64': { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.2227' },
  'linux/riscv64': undefined,
} as const;

const images = Object.entries(PLATFORMS).map(([platform, inIndex], n) => {
  const own = { os: 'linux', architecture: 'riscv64', ...inIndex };
  const config = add('application/octet-stream', {
    ...own,
    n,
    config: { Labels: { fusion: 'v1' }, Env: ['SECRET=1'] },
  });
  const digest = add(IMAGE, {
    mediaType: IMAGE,
    config: { digest: config, size: 100 },
    layers: [{ digest: digestOf(json(n)), size: n * 1000 }],
  });
  return { platform, inIndex, digest, config, bytes: 100 + n * 1000 };
});
const index = add(INDEX, {
  mediaType: INDEX,
  manifests: images.map(({ digest, inIndex }) => ({ mediaType: IMAGE, digest, size: 1, platform: inIndex })),
});

let asked: string[] = [];
let upstream: Awaited<ReturnType<typeof scriptedUpstream>>;
let redis: Redis;
let place: Isolated;

const serve: RequestListener = (request, response) => {
  const reference = request.url?.split('/').at(-1) ?? '';
  asked.push(`${request.method} ${reference}`);
  // Images that only make a gateway ask Redis: each has another configuration, and that cannot be had.
  const warm = request.url?.startsWith('/v2/warm/manifests/') === true;
  const config = { digest: digestOf(json(reference)), size: 1 };
  const found = warm
    ? { type: IMAGE, body: json({ config }) }
    : contents.get(reference === 'multi' ? index : reference);
  if (found === undefined) return void response.writeHead(404).end();
  response.writeHead(200, {
    'content-type': found.type,
    'content-length': found.body.length,
    'docker-content-digest': digestOf(found.body),
  });
  response.end(request.method === 'HEAD' ? undefined : found.body);
};

beforeAll(async () => {
  place = await isolated.redis();
  redis = new Redis(place.url);
  upstream = await scriptedUpstream(serve);
});
beforeEach(async () => {
  asked = [];
  await redis.flushdb();
});
afterAll(async () => {
  redis.disconnect();
  await upstream.stop();
  await place.remove();
});

let warmed = 0;

/** A gateway that is connected with its Redis: it has asked it, and been answered. */
async function gatewayOn(
  url: string,
  behind: Parameters<typeof startTestGateway>[0] = { upstream: upstream.url, mode: 'redirect' },
): Promise<TestGateway> {
  const gateway = await startTestGateway(behind, { REDIS_URL: url });
  await reaches(gateway);
  asked = [];
  return gateway;
}

async function reaches(gateway: TestGateway): Promise<void> {
  const answered = () => gateway.metric('weir_gateway_shared_lookups_total', { outcome: 'unknown' });
  const before = await answered();
  await until(async () => {
    await ask(gateway.url, `/v2/warm/manifests/${++warmed}`, { headers: { accept: ACCEPT, 'user-agent': 'warm/1' } });
    await gateway.events();
    return (await answered()) > before;
  });
}

const get = (gateway: TestGateway, userAgent: string, reference: string, method = 'GET') =>
  ask(gateway.url, `/v2/a/manifests/${reference}`, { method, headers: { accept: ACCEPT, 'user-agent': userAgent } });

/** How the clients come to an image of an index: HEAD of the tag, the index by digest, the image; or GETs alone. */
const DANCES: Record<string, (gateway: TestGateway, image: string) => Promise<number[]>> = {
  async containerd(gateway, image) {
    const steps = [await get(gateway, 'containerd/1.7.12', 'multi', 'HEAD')];
    for (const reference of [index, image]) steps.push(await get(gateway, 'containerd/1.7.12', reference));
    return steps.map(({ status }) => status);
  },
  async crane(gateway, image) {
    const steps = [];
    for (const reference of ['multi', image])
      steps.push(await get(gateway, 'crane/v0.19.0 go-containerregistry/v0.19.0', reference));
    return steps.map(({ status }) => status);
  },
};

const pullsOf = async (gateway: TestGateway) =>
  (await gateway.events())
    .filter(({ type, subject }) => type === 'io.weir.pull' && subject === 'a')
    .map(({ data }) => [data['tag'], data['digest'], data['platform'], data['bytes']]);

describe.each(Object.keys(DANCES))('as %s pulls, in mode redirect', (name) => {
  const dance = DANCES[name] as NonNullable<(typeof DANCES)[string]>;

  test('the platform of every image is known, though no manifest passes through', async () => {
    const gateway = await startTestGateway({ upstream: upstream.url, mode: 'redirect' });
    for (const { digest } of images) expect((await dance(gateway, digest)).filter((status) => status === 200)).toHaveLength(name === 'crane' ? 0 : 1); // prettier-ignore
    const pulls = await pullsOf(gateway);
    await gateway.stop();
    expect(pulls).toEqual(images.map(({ digest, platform, bytes }) => ['multi', digest, platform, bytes]));
  });

  test('a second gateway knows it without asking the upstream for anything that is already known', async () => {
    const first = await gatewayOn(place.url);
    for (const { digest } of images) await dance(first, digest);
    const expected = await pullsOf(first);
    expect(asked.filter((question) => question.startsWith('GET'))).toHaveLength(1 + images.length + 1); // prettier-ignore
    await until(async () => (await redis.dbsize()) >= 1 + images.length + 1);
    await first.stop();

    const second = await gatewayOn(place.url);
    for (const { digest } of images) await dance(second, digest);
    const pulls = await pullsOf(second);
    const found = await second.metric('weir_gateway_shared_lookups_total', { outcome: 'found' });
    await second.stop();
    expect(pulls).toEqual(expected);
    expect(pulls).toHaveLength(images.length);
    expect(asked.filter((question) => question.startsWith('GET'))).toEqual([]);
    expect(found).toBe(1 + images.length + 1);
  });
});

describe('what is in Redis', () => {
  const riscv = images.at(-1) as (typeof images)[number];

  async function learned(rules?: object): Promise<void> {
    const read = parseRules({ upstreams: { hub: { url: upstream.url } }, rules: [{ upstream: 'hub', mode: 'redirect', ...rules }] }); // prettier-ignore
    if (!read.ok) throw new Error(read.problems.join());
    const gateway = await gatewayOn(place.url, { rules: read.rules });
    await get(gateway, 'crane/v0.19.0', riscv.digest);
    await gateway.events();
    await until(async () => (await redis.exists(keyOf(riscv.digest), keyOf(riscv.config))) === 2);
    await gateway.stop();
  }
  const keyOf = (digest: string) => `weir:digest:${digest}`;

  test('is little: no environment, no label that no rule looks at', async () => {
    await learned();
    const keys = await redis.keys('weir:digest:*');
    expect(keys.sort()).toEqual([keyOf(riscv.digest), keyOf(riscv.config)].sort());
    expect(await redis.get(keyOf(riscv.config))).toBe(
      '{"v":1,"config":{"platform":"linux/riscv64","labels":{}},"looked":[]}',
    );
  });

  test('is kept for 30 days from its last use', async () => {
    await learned();
    const days = async (digest: string) => Math.ceil((await redis.ttl(keyOf(digest))) / 86_400);
    expect([await days(riscv.digest), await days(riscv.config)]).toEqual([30, 30]);
    await redis.expire(keyOf(riscv.digest), 3600);
    const second = await gatewayOn(place.url);
    await get(second, 'crane/v0.19.0', riscv.digest);
    await second.events();
    await until(async () => (await days(riscv.digest)) === 30);
    await second.stop();
  });

  test('does not do for a gateway whose rules look at other labels', async () => {
    await learned();
    asked = [];
    await learned({ fusion: { label: 'fusion=v*' } });
    expect(asked).toContain(`GET ${riscv.config}`);
    expect(JSON.parse((await redis.get(keyOf(riscv.config))) ?? '')).toMatchObject({
      config: { labels: { fusion: 'v1' } },
      looked: ['fusion'],
    });
    asked = [];
    await learned();
    expect(asked).not.toContain(`GET ${riscv.config}`);
  });

  const lie = (changes: object, around = { v: 1 }) =>
    JSON.stringify({
      ...around,
      manifest: { type: 'image', kind: 'image', layers: [], bytes: 1, platform: 'linux/s390x', ...changes },
    });
  test.each<[string, (key: string) => Promise<unknown>]>([
    ['nonsense', (key) => redis.set(key, 'nonsense')],
    ['binary', (key) => redis.set(key, Buffer.from([0, 255, 254, 1]))],
    ['another version', (key) => redis.set(key, lie({}, { v: 9 }))],
    ['an index in the place of an image', (key) => redis.set(key, '{"v":1,"manifest":{"type":"index","children":[]}}')],
    ['a platform that is none', (key) => redis.set(key, lie({ platform: '"/><x' }))],
    ['half a megabyte', (key) => redis.set(key, lie({ labels: 'x'.repeat(500_000) }))],
    ['a hash', (key) => redis.hset(key, 'a', 'b')],
    ['nothing', (key) => redis.set(key, '')],
  ])('and is %s is passed over, and put right', async (_, poison) => {
    await poison(keyOf(riscv.digest));
    const gateway = await gatewayOn(place.url);
    await get(gateway, 'crane/v0.19.0', riscv.digest);
    const pulls = await pullsOf(gateway);
    expect(pulls).toEqual([[undefined, riscv.digest, riscv.platform, riscv.bytes]]);
    await until(async () => (await redis.type(keyOf(riscv.digest))) === 'string');
    await until(async () => (await redis.get(keyOf(riscv.digest)))?.includes(`"bytes":${riscv.bytes}`) === true);
    await gateway.stop();
  });

  test('is only what its digest names', async () => {
    const wrong = digestOf(json('something else'));
    const { type, body } = contents.get(riscv.digest) as { type: string; body: Buffer };
    const liar = await scriptedUpstream((request, response) => {
      if (request.url?.startsWith('/v2/a/') !== true) serve(request, response);
      else if (request.url.includes('/blobs/')) response.writeHead(200).end('{"os":"linux","architecture":"s390x"}');
      else response.writeHead(200, { 'content-type': type, 'docker-content-digest': wrong }).end(body);
    });
    const gateway = await gatewayOn(place.url, { upstream: liar.url, mode: 'proxy' });
    expect((await get(gateway, 'crane/v0.19.0', 'v1')).status).toBe(502);
    expect(await pullsOf(gateway)).toEqual([]);
    await gateway.stop();
    await liar.stop();
    expect(await redis.exists(...[wrong, riscv.digest, riscv.config].map(keyOf))).toBe(0);
  });
});

describe('a Redis that fails', () => {
  test('while pulls go on: everything is learned from the upstream, one line says so, and it is used again', async () => {
    const directory = await temporaryDirectory();
    let server = await startRedis({ dir: directory.path });
    const gateway = await gatewayOn(server.url);
    await server.stop();
    for (const { digest } of images) await DANCES['crane']?.(gateway, digest);
    expect(await pullsOf(gateway)).toEqual(
      images.map(({ digest, platform, bytes }) => ['multi', digest, platform, bytes]),
    );
    expect(await gateway.metric('weir_gateway_shared_lookups_total', { outcome: 'unanswered' })).toBeGreaterThan(0);

    server = await startRedis({ dir: directory.path });
    await reaches(gateway);
    const lines = gateway.logged().split('\n').filter((line) => line.includes('Redis at')); // prettier-ignore
    await gateway.stop();
    await server.stop();
    await directory.remove();
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg.replace(/at \S+/, 'at …'))).toEqual([
      'Redis at … cannot be used: this gateway learns for itself',
      'Redis at … is used again',
    ]);
    expect(lines.join()).not.toContain(new URL(server.url).password);
  }, 60_000);

  test('by never answering holds nothing up', async () => {
    const directory = await temporaryDirectory();
    const server = await startRedis({ dir: directory.path });
    const gateway = await gatewayOn(server.url);
    const other = new Redis(server.url);
    await other.client('PAUSE', 20_000, 'ALL');
    for (const { digest } of images) await DANCES['containerd']?.(gateway, digest);
    const pulls = await pullsOf(gateway);
    expect(pulls.map(([, , platform]) => platform)).toEqual(images.map(({ platform }) => platform));
    // The first question is given up; those behind it are not even asked.
    expect(await gateway.metric('weir_gateway_shared_lookups_total', { outcome: 'unanswered' })).toBeGreaterThan(1);
    expect(gateway.logged().split('this gateway learns for itself')).toHaveLength(2);
    await gateway.stop();
    other.disconnect();
    await server.stop();
    await directory.remove();
  }, 60_000);

  test('from the start is no reason not to start', async () => {
    const gateway = await startTestGateway(
      { upstream: upstream.url, mode: 'redirect' },
      { REDIS_URL: 'redis://:secret@127.0.0.1:9' },
    );
    await DANCES['crane']?.(gateway, images[0]?.digest ?? '');
    expect(await pullsOf(gateway)).toHaveLength(1);
    await until(() => gateway.logged().includes('Redis at 127.0.0.1:9 cannot be used'));
    expect(gateway.logged()).not.toContain('secret');
    await gateway.stop();
  });
});
