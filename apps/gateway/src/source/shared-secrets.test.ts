import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pino from 'pino';
import { isolated, startRedis, temporaryDirectory, until, type PrivateServer } from '@weir/testing';
import { createPseudonyms } from './pseudonyms';
import { createSecrets, dayOf, monthOf } from './secrets';
import { openSharedSecrets, type SharedSecrets } from './shared-secrets';

const ADDRESS = '192.0.2.7';
const opened: { close(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

/** What a gateway makes of a Redis. */
async function gateway(url: string) {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  let unshared = 0;
  const shared = await openSharedSecrets(url);
  const secrets = createSecrets({ shared, unshared: { set: (count) => (unshared = count) }, log, againMs: 100 });
  opened.push(secrets, shared);
  const pseudonyms = createPseudonyms(secrets);
  return {
    of: (address = ADDRESS) => pseudonyms.of(address, new Date()),
    unshared: () => unshared,
    logged: (words: string) => lines.filter((line) => line.includes(words)).length,
    text: () => lines.join(''),
  };
}

async function openShared(url: string): Promise<SharedSecrets> {
  const shared = await openSharedSecrets(url);
  opened.push(shared);
  return shared;
}

describe('with a Redis', () => {
  let place: { url: string; remove(): Promise<void> };
  let redis: Redis;
  beforeAll(async () => {
    place = await isolated.redis();
    redis = new Redis(place.url);
  });
  afterEach(() => redis.flushdb());
  afterAll(async () => {
    redis.disconnect();
    await place.remove();
  });

  test('all gateways give an address the same pseudonyms, and so does one that starts again', async () => {
    const [one, two] = [await gateway(place.url), await gateway(place.url)];
    const [first, second] = await Promise.all([one.of(), two.of()]);
    expect(first).toBeDefined();
    expect(second).toEqual(first);
    expect(await (await gateway(place.url)).of()).toEqual(first);
    expect([one.unshared(), two.unshared()]).toEqual([0, 0]);
    expect(one.text()).toBe('');
  });

  test('a secret is there under its period and expires ten minutes after it', async () => {
    const now = new Date();
    await (await gateway(place.url)).of();
    for (const { name, end } of [dayOf(now), monthOf(now)]) {
      expect(await redis.strlen(`weir:gateway:secret:${name}`)).toBe(32);
      expect(await redis.expiretime(`weir:gateway:secret:${name}`)).toBe(end / 1000 + 600);
    }
    expect(await redis.dbsize()).toBe(2);
  });

  test('Redis holds no address and no pseudonym', async () => {
    const seen = await (await gateway(place.url)).of();
    const keys = await redis.keys('*');
    const values = await Promise.all(keys.map((key) => redis.getBuffer(key)));
    const text = [...keys, ...values.map((value) => value?.toString('latin1'))].join(' ');
    expect(text).not.toContain(ADDRESS);
    expect(text).not.toContain(seen?.day);
  });

  test('the first one stays, whatever others bring', async () => {
    const shared = await openShared(place.url);
    const [mine, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const soon = Date.now() + 60_000;
    expect(await shared.agree('2026-01-01', mine, soon)).toEqual(mine);
    expect(await shared.agree('2026-01-01', other, soon)).toEqual(mine);
  });

  test('what is no secret is not taken for one', async () => {
    const { name } = dayOf(new Date());
    await redis.set(`weir:gateway:secret:${name}`, 'short');
    const one = await gateway(place.url);
    expect(await one.of()).toBeDefined();
    expect(one.unshared()).toBe(1);
    expect(one.text()).toContain(`weir:gateway:secret:${name} is no secret of 32 bytes`);
  });

  test('a Redis that has lost them gets them back from whoever still has them', async () => {
    const one = await gateway(place.url);
    const first = await one.of();
    await redis.flushdb();
    await until(async () => (await redis.dbsize()) === 2);
    expect(await (await gateway(place.url)).of()).toEqual(first);
  });
});

describe('with a Redis that fails', () => {
  let directory: { path: string; remove(): Promise<void> };
  let server: PrivateServer;
  beforeAll(async () => {
    directory = await temporaryDirectory();
    const password = createHash('sha256').update('gateway').digest('hex');
    const settings = [`user gateway on #${password} ~weir:gateway:* resetchannels -@all +set +get`];
    server = await startRedis({ dir: join(directory.path, 'redis'), settings });
  });
  afterAll(async () => {
    await server.stop();
    await directory.remove();
  });

  test('that is away, gateways use secrets of their own, say so once, and agree when it is back', async () => {
    await server.stop();
    const [one, two] = [await gateway(server.url), await gateway(server.url)];
    const [first, second] = await Promise.all([one.of(), two.of()]);
    expect(first?.day).not.toBe(second?.day);
    expect(await one.of()).toEqual(first);
    await until(() => one.unshared() === 2 && two.unshared() === 2);
    expect(one.logged('of this gateway alone')).toBe(1);
    expect(one.text()).not.toContain(new URL(server.url).password);

    await server.start();
    await until(() => one.unshared() === 0 && two.unshared() === 0);
    const [after, other] = await Promise.all([one.of(), two.of()]);
    expect(other).toEqual(after);
    // Whose secret it is does not matter, but it is the one of somebody who had one already.
    expect([first?.day, second?.day]).toContain(after?.day);
    expect(one.logged('of this gateway alone')).toBe(1);
    expect(one.logged('the same pseudonym again')).toBe(1);
  });

  test('that never answers delays no event for ever', async () => {
    server.suspend();
    const one = await gateway(server.url);
    expect(await one.of()).toBeDefined();
    expect(one.unshared()).toBe(2);
    expect(one.text()).toContain('no answer within 1000 ms');
    server.resume();
    await until(() => one.unshared() === 0);
  });

  test('whose user may do no more than set and get these keys, it works', async () => {
    const url = new URL(server.url);
    [url.username, url.password] = ['gateway', 'gateway'];
    const one = await gateway(url.href);
    expect(await one.of()).toBeDefined();
    expect([one.unshared(), one.text()]).toEqual([0, '']);
    expect(await (await gateway(server.url)).of()).toEqual(await one.of());
  });

  test('that refuses the password is told as such, without it', async () => {
    const url = new URL(server.url);
    url.password = 'marked-password';
    const one = await gateway(url.href);
    expect(await one.of()).toBeDefined();
    expect(one.unshared()).toBe(2);
    expect(one.text()).toMatch(/WRONGPASS|NOAUTH/);
    expect(one.text()).not.toContain('marked-password');
  });
});
