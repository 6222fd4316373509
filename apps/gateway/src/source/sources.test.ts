import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isolated, startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { ask, scriptedUpstream, startTestGateway, type TestGateway } from '../gateway.test-support';
import { pushImage } from '../images.test-support';
import { writeMmdb } from './mmdb.test-support';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const V4 = '198.51.100.77';
const V6 = '2001:db8:77:88:99aa:bbcc:ddee:ff01';

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
let files: { GEOIP_COUNTRY_FILE: string; GEOIP_NETWORK_FILE: string };

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  await pushImage(registry.url, 'team/app', { tag: 'v1' });
  await pushImage(registry.url, 'team/app', { tag: 'v2', layerBytes: 1024 });
  files = {
    GEOIP_COUNTRY_FILE: join(directory.path, 'country.mmdb'),
    GEOIP_NETWORK_FILE: join(directory.path, 'network.mmdb'),
  };
  const country = { country: { iso_code: 'DE' } };
  const network = { autonomous_system_number: 16509, autonomous_system_organization: 'Example Cloud' };
  const everywhere = <T>(record: T) => ({ '198.51.100.0/24': record, '2001:db8::/32': record });
  await writeMmdb(files.GEOIP_COUNTRY_FILE, { networks: everywhere(country) });
  await writeMmdb(files.GEOIP_NETWORK_FILE, { networks: everywhere(network) });
});
afterAll(async () => {
  await registry.stop();
  await directory.remove();
});

let gateway: TestGateway;
afterEach(() => gateway.stop());

const start = async (environment: Record<string, string> = {}, mode: 'proxy' | 'redirect' = 'proxy') =>
  void (gateway = await startTestGateway({ upstream: registry.url, mode }, { TRUSTED_PROXIES: '1', ...environment }));
const pull = (from: string, headers: Record<string, string> = {}, tag = 'v1', method = 'GET') =>
  ask(gateway.url, `/v2/team/app/manifests/${tag}`, {
    method,
    headers: { accept: IMAGE, 'x-forwarded-for': from, ...headers },
  });
const data = async () => (await gateway.events()).map((event) => event.data);

test('a pull and a check tell of their source what may be told', async () => {
  await start(files);
  await pull(V4);
  await pull(V4, {}, 'v1', 'HEAD');
  const events = await gateway.events();
  expect(events.map(({ type }) => type)).toEqual(['io.weir.pull', 'io.weir.check']);
  const told = {
    source: {
      day: expect.stringMatching(/^[\w-]{22}$/) as string,
      month: expect.stringMatching(/^[0-9a-f]{6}$/) as string,
    },
    country: 'DE',
    network: { name: 'Example Cloud', asn: 16509, cloud: 'aws' },
    pattern: 'unknown',
  };
  expect(events[0]?.data).toMatchObject(told);
  expect(events[1]?.data).toMatchObject(told);
  expect(events[0]?.data['source']).toEqual(events[1]?.data['source']);
});

test('ten pulls of one source are one source, ten sources are ten, whatever clients write themselves', async () => {
  await start();
  for (let n = 1; n <= 10; n += 1) await pull(`192.0.2.${n}, ${V4}`, { 'user-agent': `curl/8.${n}` });
  for (let n = 1; n <= 10; n += 1) await pull(`198.51.100.${n}`);
  const days = (await data()).map(({ source }) => (source as { day: string }).day);
  expect(new Set(days.slice(0, 10)).size).toBe(1);
  expect(new Set(days.slice(10)).size).toBe(10);
});

test('without trusted proxies the header says nothing: all are the connection', async () => {
  await start({ TRUSTED_PROXIES: '0' });
  for (let n = 1; n <= 3; n += 1) await pull(`198.51.100.${n}`);
  expect(new Set((await data()).map(({ source }) => (source as { day: string }).day)).size).toBe(1);
});

test('a user agent of 15 KB is no other source, and stops nothing', async () => {
  await start();
  for (const agent of ['curl/8.5.0', `curl/8.5.0 ${'Mozilla '.repeat(1_900)}`]) {
    const { status } = await pull(V4, { 'user-agent': agent });
    expect(status).toBe(200);
  }
  expect(new Set((await data()).map(({ source }) => (source as { day: string }).day)).size).toBe(1);
});

describe('who asks not to be tracked', () => {
  const wishes = [{ dnt: '1' }, { 'sec-gpc': '1' }];
  const private_ = ['source', 'country', 'network', 'pattern'];

  test('is counted without a source', async () => {
    await start(files);
    for (const wish of wishes) await pull(V4, wish);
    await pull(V4);
    const [dnt, gpc, other] = await data();
    for (const event of [dnt, gpc]) {
      expect(event).toMatchObject({ repository: 'team/app', tag: 'v1' });
      for (const field of private_) expect(event).not.toHaveProperty(field);
    }
    for (const field of private_) expect(other).toHaveProperty(field);
  });

  test('is answered and not counted with GATEWAY_DO_NOT_TRACK=omit', async () => {
    await start({ GATEWAY_DO_NOT_TRACK: 'omit' });
    for (const wish of wishes) expect((await pull(V4, wish)).status).toBe(200);
    expect((await pull(V4, { dnt: '1' }, 'v1', 'HEAD')).status).toBe(200);
    await pull(V4, {}, 'v2');
    expect((await data()).map(({ tag }) => tag)).toEqual(['v2']);
  });

  test('… nor when redirected', async () => {
    await start({ GATEWAY_DO_NOT_TRACK: 'omit' }, 'redirect');
    expect((await pull(V4, { dnt: '1' })).status).toBe(307);
    expect((await pull(V4, { dnt: '1' })).status).toBe(307);
    expect((await pull(V4, {}, 'v2')).status).toBe(307);
    expect((await data()).map(({ tag }) => tag)).toEqual(['v2']);
  });

  test('is like everybody with GATEWAY_DO_NOT_TRACK=ignore', async () => {
    await start({ ...files, GATEWAY_DO_NOT_TRACK: 'ignore' });
    await pull(V4, { dnt: '1', 'sec-gpc': '1' });
    const [event] = await data();
    for (const field of private_) expect(event).toHaveProperty(field);
  });

  test('is not in the rhythm of its source either', async () => {
    await start();
    await pull(V4, { dnt: '1' });
    await pull(V4);
    expect((await data()).map((event) => event['pattern'])).toEqual([undefined, 'unknown']);
  });
});

test('two gateways of one Redis see one source', async () => {
  const { url, remove } = await isolated.redis();
  await start({ REDIS_URL: url });
  await pull(V4);
  const here = await data();
  await gateway.stop();
  await start({ REDIS_URL: url });
  await pull(V4);
  expect((await data())[0]?.['source']).toEqual(here[0]?.['source']);
  expect(await gateway.metric('weir_gateway_unshared_secrets')).toBe(0);
  await remove();
});

test('SOURCES=off tells nothing of anybody, and counts', async () => {
  await start({ ...files, SOURCES: 'off' });
  await pull(V4);
  const [event] = await data();
  expect(event).toMatchObject({ repository: 'team/app', tag: 'v1' });
  for (const field of ['source', 'country', 'network', 'pattern']) expect(event).not.toHaveProperty(field);
});

/** An address as somebody might write it down, or hash it without a secret. */
function formsOf(address: string, bytes: Buffer): string[] {
  const texts = [address, bytes.toString('hex'), bytes.readUInt32BE(0).toString(), bytes.toString('base64')];
  const hashes = ['md5', 'sha1', 'sha256'].flatMap((algorithm) =>
    [address, bytes].flatMap((input) => {
      const digest = createHash(algorithm).update(input).digest();
      return [digest.toString('hex').slice(0, 16), digest.toString('base64').slice(0, 16)];
    }),
  );
  return [...texts, ...hashes].map((form) => form.replace(/=+$/, '').toLowerCase());
}

describe('the address never leaves', () => {
  const v4 = Buffer.from([198, 51, 100, 77]);
  const v6 = Buffer.from('20010db80077008899aabbccddeeff01', 'hex');
  const forms = [
    ...formsOf(V4, v4),
    ...formsOf(V6, v6),
    ...formsOf('2001:db8:77:88::', v6.subarray(0, 8)),
    ...['198.51.100', '2001:db8:77', '2001:0db8:0077', '99aa:bbcc', '::ffff:c633:644d', 'c6.33.64.4d'],
    ...['203.0.113.66', 'cb007142'],
  ];

  test.each(['proxy', 'redirect'] as const)('into an event, a log line or a metric, in mode %s', async (mode) => {
    // A Redis that is away and an upstream that answers nonsense make the gateway log.
    await start({ ...files, REDIS_URL: 'redis://127.0.0.1:9' }, mode);
    const credentials = { authorization: 'Basic bWFya2VkOnNlY3JldA==', cookie: 'marked-cookie=1' };
    for (const from of [V4, V6, `203.0.113.66, ${V4}`, `[${V6}]:443`, `::ffff:${V4}`, `${V4}:4321`]) {
      await pull(from);
      await pull(from, credentials);
      await pull(from, {}, 'v1', 'HEAD');
      await pull(from, {}, 'v9');
      await ask(gateway.url, `/v2/team/app/manifests/v1?token=marked-token`, { headers: { accept: IMAGE, 'x-forwarded-for': from } }); // prettier-ignore
      await ask(gateway.url, '/v2/team/app/blobs/nonsense', { headers: { 'x-forwarded-for': from } });
      await ask(gateway.url, '/v2/', { method: 'POST', headers: { 'x-forwarded-for': from } });
    }
    const events = await gateway.events();
    expect(events.length).toBeGreaterThanOrEqual(18);
    expect(events.filter(({ data: { source } }) => source !== undefined)).toHaveLength(events.length);
    expect(gateway.logged()).toContain('pseudonyms of this gateway alone');
    const out = [JSON.stringify(events), gateway.logged(), await gateway.metricsText()].join('\n').toLowerCase();
    expect(out).toContain('weir_gateway_unshared_secrets 2');
    for (const form of forms) expect(out).not.toContain(form);
    for (const secret of ['bwfya2vko', 'marked']) expect(out).not.toContain(secret);
  });

  test('nor to the upstream of a proxied request', async () => {
    const seen: string[] = [];
    const upstream = await scriptedUpstream((request, response) => {
      seen.push(JSON.stringify([request.url, request.rawHeaders]).toLowerCase());
      response.writeHead(404).end();
    });
    const headers = { 'x-real-ip': V4, forwarded: `for=${V4}`, 'x-client-ip': V4, via: `1.1 ${V4}` };
    gateway = await startTestGateway({ upstream: upstream.url, mode: 'proxy' }, { TRUSTED_PROXIES: '1' });
    expect((await pull(V4, headers)).status).toBe(404);
    await upstream.stop();
    expect(seen.length).toBeGreaterThan(0);
    for (const form of forms) expect(seen.join()).not.toContain(form);
  });

  test('not even when everything is logged of a gateway whose upstream is gone', async () => {
    gateway = await startTestGateway({ upstream: 'http://127.0.0.1:9' }, { TRUSTED_PROXIES: '1' });
    expect((await pull(V4)).status).toBe(502);
    expect(gateway.logged()).toContain('no answer from upstream');
    for (const form of forms) expect(gateway.logged().toLowerCase()).not.toContain(form);
  });
});
