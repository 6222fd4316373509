import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../servers/ports';
import { until } from '../until';
import { temporaryDirectory } from '../servers/temporary';
import type { PrivateServer } from '../servers/server';
import { deploy, environmentOf, passwordsOf, root, startStackRedis } from './stack.test-support';

// S34 of the reliability reference: a user for each app, held to its keys and commands. That the apps can work so is
// shown in stack.test.ts.

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: PrivateServer;
let urlOf: (user: string) => string;
const users = new Map<string, Redis>();

beforeAll(async () => {
  dir = await temporaryDirectory();
  ({ redis: server, urlOf } = await startStackRedis(dir.path));
  for (const user of ['operator', 'gateway', 'redis-worker', 'stats'])
    users.set(user, new Redis(urlOf(user), { enableReadyCheck: false })); // which would need +info
});
afterAll(async () => {
  for (const redis of users.values()) redis.disconnect();
  await server.stop();
  await dir.remove();
});

const as = (user: string, command: string, ...args: string[]) => {
  const redis = users.get(user);
  if (!redis) throw new Error(`no user ${user}`);
  return redis.call(command, ...args);
};
const FORBIDDEN: readonly (readonly string[])[] = [
  ['FLUSHALL'], ['FLUSHDB'], ['CONFIG', 'GET', '*'], ['CONFIG', 'SET', 'dir', '/tmp'], ['KEYS', '*'], ['SCAN', '0'],
  ['SHUTDOWN'], ['ACL', 'LIST'], ['ACL', 'SETUSER', 'x'], ['SCRIPT', 'FLUSH'], ['SAVE'],
  ['MODULE', 'LIST'], ['REPLICAOF', 'NO', 'ONE'], ['MONITOR'], ['CLIENT', 'LIST'], ['CLIENT', 'KILL', 'TYPE', 'normal'],
  ['PUBLISH', 'x', 'y'], ['SUBSCRIBE', 'x'], ['DEL', 'pulls/d/2026-11-23'], ['UNLINK', 'pulls/d/2026-11-23'],
  ['RENAME', 'pulls/d/2026-11-23', 'pulls/d/2026-11-24'], ['DUMP', 'pulls/d/2026-11-23'], ['SWAPDB', '0', '1'],
  ['MIGRATE', '127.0.0.1', '1', 'pulls/d/2026-11-23', '0', '100'], ['RESTORE', 'pulls/d/2026-11-23', '0', 'x'],
]; // prettier-ignore

describe.each(['gateway', 'redis-worker', 'stats'])('%s', (user) => {
  test.each(FORBIDDEN)('may not %s', async (...command) => {
    const [name = '', ...args] = command.filter((word) => typeof word === 'string');
    await expect(as(user, name, ...args)).rejects.toThrow(/NOPERM/);
  });
});

const SECRET = 'weir:gateway:secret:2026-11-23';
const DIGEST = `weir:digest:sha256:${'a'.repeat(64)}`;

describe.each(['redis-worker', 'stats'])('%s', (user) => {
  test('reads no secret of a pseudonym, and nothing else of the gateway', async () => {
    for (const key of [SECRET, 'weir:gateway:secret:2026-11', DIGEST]) {
      await as('operator', 'SET', key, 'secret');
      await expect(as(user, 'GET', key)).rejects.toThrow(/NOPERM/);
      await expect(as(user, 'MGET', 'pulls/d/2026-11-23', key)).rejects.toThrow(/NOPERM/);
    }
  });

  test('sees no key but those of the counters and those of Weir itself', async () => {
    await as('operator', 'SET', 'session:1', 'secret');
    await as('operator', 'SET', 'pullsx', 'secret');
    for (const key of ['session:1', 'pullsx']) await expect(as(user, 'GET', key)).rejects.toThrow(/NOPERM/);
    await as('operator', 'SET', 'pulls/d/2026-11-23', '7');
    expect(await as(user, 'GET', 'pulls/d/2026-11-23')).toBe('7');
  });
});

test('stats changes nothing', async () => {
  for (const [name, ...args] of [
    ['SET', 'pulls/d/x', '1'],
    ['INCRBY', 'pulls/d/x', '1'],
    ['EVAL', 'return 1', '0'],
    ['ZADD', 'weir:organizations:pulls', '0', 'x'],
    ['EXPIRE', 'pulls/d/x', '1'],
    ['SET', 'weir:distinct:sources:day/d/2026-11-23', 'x'],
    ['PFADD', 'weir:distinct:sources:day/d/2026-11-23', 'x'],
    ['SETBIT', 'weir:flow:2026-11-23', '0', '1'],
    ['ZADD', 'weir:outages', '0', 'x'],
  ] as const) {
    // prettier-ignore
    await expect(as('stats', name, ...args)).rejects.toThrow(/NOPERM/);
  }
});

test('the worker adds distinct members, stats asks how many there are', async () => {
  const key = 'weir:distinct:sources:day/d/2026-11-23';
  await as('redis-worker', 'EVAL', "return redis.call('PFADD', KEYS[1], 'a', 'b')", '1', key);
  await as('redis-worker', 'EVAL', "return redis.call('EXPIREAT', KEYS[1], 9999999999)", '1', key);
  expect(await as('stats', 'PFCOUNT', key)).toBe(2);
});

test('the worker writes down when the flow worked and what was reported of outages, stats reads it', async () => {
  await as('redis-worker', 'EVAL', "return redis.call('SETBIT', KEYS[1], 600, 1)", '1', 'weir:flow:2026-11-23');
  await as('redis-worker', 'SET', 'weir:flow:since', '29928600', 'NX');
  await as('redis-worker', 'ZADD', 'weir:outages', '1', 'report');
  await as('redis-worker', 'ZREMRANGEBYRANK', 'weir:outages', '0', '-2001');
  expect(await as('stats', 'MGET', 'weir:flow:2026-11-23')).toHaveLength(1);
  expect(await as('stats', 'GET', 'weir:flow:since')).toBe('29928600');
  expect(await as('stats', 'ZRANGE', 'weir:outages', '0', '-1')).toEqual(['report']);
});

test('the worker puts what it filled into its place, and gives up its locks; nothing else can be moved or removed', async () => {
  const script = (body: string, ...keys: string[]) =>
    as('redis-worker', 'EVAL', body, String(keys.length), 'weir:live', ...keys.slice(1));
  for (const key of ['weir:hold', 'weir:filling']) {
    expect(await as('redis-worker', 'SET', key, 'mine', 'PX', '1000', 'NX')).toBe('OK');
    expect(await script(`return redis.call('PEXPIRE', '${key}', 2000) + redis.call('DEL', '${key}')`, key)).toBe(2);
  }
  await script(`redis.call('ZADD', 'weir:fill:1:weir:cube:a:b::2026-11-28', 1, '')`, 'weir:live');
  const moved = `redis.call('UNLINK', 'weir:cube:a:b::2026-11-28')
    redis.call('RENAME', 'weir:fill:1:weir:cube:a:b::2026-11-28', 'weir:cube:a:b::2026-11-28')
    redis.call('ZUNIONSTORE', 'weir:cube-latest:a:b', 2, 'weir:cube-latest:a:b', 'weir:fill:1:weir:cube-latest:a:b')
    return redis.call('ZSCORE', 'weir:cube:a:b::2026-11-28', '')`;
  expect(await script(moved, 'weir:live')).toBe('1');
  for (const key of ['weir:store', 'weir:seen:2026-11-28', 'weir:live']) {
    await expect(as('redis-worker', 'UNLINK', key)).rejects.toThrow(/NOPERM/);
    await expect(as('redis-worker', 'RENAME', key, 'weir:fill:1:x')).rejects.toThrow(/NOPERM/);
  }
});

test('the worker deletes unions of days, and no identities', async () => {
  const block = 'weir:cube-block:pulls:pulls:organization:7:20790';
  await as('operator', 'ZADD', block, '1', 'acme');
  const unlink = (key: string) => as('redis-worker', 'EVAL', "return redis.call('UNLINK', KEYS[1])", '1', key);
  expect(await unlink(block)).toBe(1);
  await expect(unlink('weir:seen:2026-11-23')).rejects.toThrow(/NOPERM|can't access|not allowed|can't run/i);
});

describe('gateway', () => {
  test('agrees on secrets with others, and shares what digests stand for', async () => {
    const until = String(Math.ceil(Date.now() / 1000) + 600);
    await as('operator', 'DEL', SECRET);
    expect(await as('gateway', 'SET', SECRET, 'first', 'EXAT', until, 'NX')).toBe('OK');
    expect(await as('gateway', 'SET', SECRET, 'second', 'EXAT', until, 'NX')).toBeNull();
    expect(await as('gateway', 'GET', SECRET)).toBe('first');
    expect(await as('gateway', 'SET', DIGEST, 'known', 'EX', '60')).toBe('OK');
    expect(await as('gateway', 'GETRANGE', DIGEST, '0', '4')).toBe('known');
    expect(await as('gateway', 'EXPIRE', DIGEST, '60')).toBe(1);
  });

  test.each([
    ['EXPIRE', SECRET, '999999'],
    ['GETRANGE', SECRET, '0', '-1'],
    ['GET', DIGEST],
    ['SET', 'weir:gateway:other', 'x'],
    ['GET', 'pulls/d/2026-11-23'],
    ['SET', 'pulls/d/2026-11-23', '1'],
    ['GET', 'weir:store'],
    ['SET', 'weir:hold', 'x'],
    ['PFCOUNT', 'weir:distinct:sources:day/d/2026-11-23'],
    ['EVAL', 'return 1', '0'],
  ])('may not %s %s', async (name, ...args) => {
    await expect(as('gateway', name, ...args)).rejects.toThrow(/NOPERM/);
  });
});

describe('stats', () => {
  const bucket = (day: string) => `weir:cube:pulls:pulls:organization:${day}`;
  const block = 'weir:cube-block:pulls:pulls:organization:7:20454';
  const answer = 'weir:cube-answer:0a1b';

  test('makes unions of what was counted, and keeps them for a while', async () => {
    await as('operator', 'ZADD', bucket('2026-01-01'), '3', 'a.example');
    await as('operator', 'ZADD', 'weir:cube-latest:pulls:organization', '5', 'a.example');
    await as('operator', 'HSET', 'weir:statistics', 'pulls', '{}');
    expect(await as('stats', 'HGET', 'weir:statistics', 'pulls')).toBe('{}');
    expect(await as('stats', 'HGETALL', 'weir:statistics')).toEqual(['pulls', '{}']);
    expect(await as('stats', 'MULTI')).toBe('OK');
    await as('stats', 'ZUNIONSTORE', block, '2', bucket('2026-01-01'), bucket('2026-01-02'));
    await as('stats', 'ZINCRBY', block, '0', '*');
    await as('stats', 'EXPIRE', block, '60');
    await as('stats', 'EXISTS', block);
    await as('stats', 'ZUNIONSTORE', answer, '1', block, 'WEIGHTS', '-1');
    await as('stats', 'ZREM', answer, '*');
    await as('stats', 'EXPIRE', answer, '60');
    expect(await as('stats', 'EXEC')).toEqual([1, '0', 1, 1, 2, 1, 1]);
    expect(await as('stats', 'ZRANGE', answer, '0', '-1')).toEqual(['a.example']);
    expect(await as('stats', 'ZSCORE', answer, 'a.example')).toBe('-3');
    expect(await as('stats', 'UNLINK', answer)).toBe(1);
    expect(await as('stats', 'ZMSCORE', bucket('2026-01-01'), 'a.example')).toEqual(['3']);
    expect(await as('stats', 'ZCARD', bucket('2026-01-01'))).toBe(1);
    expect(await as('stats', 'ZUNION', '1', bucket('2026-01-01'))).toEqual(['a.example']);
    expect(await as('stats', 'ZUNIONSTORE', answer, '1', 'weir:cube-latest:pulls:organization')).toBe(1);
  });

  test.each([
    ['ZUNIONSTORE', bucket('2026-01-01'), '1', bucket('2026-01-02')],
    ['ZINCRBY', bucket('2026-01-01'), '1', 'a.example'],
    ['ZREM', bucket('2026-01-01'), 'a.example'],
    ['EXPIRE', bucket('2026-01-01'), '1'],
    ['UNLINK', bucket('2026-01-01')],
    ['UNLINK', 'weir:cube-latest:pulls:organization'],
    ['UNLINK', 'weir:statistics'],
    ['HSET', 'weir:statistics', 'pulls', '{}'],
    ['ZUNIONSTORE', answer, '1', 'session:1'],
    ['ZUNIONSTORE', answer, '1', SECRET],
  ])('may not %s %s', async (name, ...args) => {
    await expect(as('stats', name, ...args)).rejects.toThrow(/NOPERM/);
  });
});

test('a script of the worker reaches no further than the worker', async () => {
  const script = (body: string) => as('redis-worker', 'EVAL', body, '0');
  await expect(script("return redis.call('FLUSHALL')")).rejects.toThrow(/NOPERM|not allowed|can't run/i);
  await expect(script("return redis.call('GET', 'session:1')")).rejects.toThrow(/NOPERM|can't access|not allowed/i);
  const secret = `return redis.call('GET', '${SECRET}')`;
  await expect(script(secret)).rejects.toThrow(/NOPERM|can't access|not allowed/i);
  await expect(script("return redis.call('SET', 'other', '1')")).rejects.toThrow(/NOPERM|can't access|not allowed/i);
});

test('the operator may do what the docs tell him, and is not what any app logs in as', async () => {
  expect(await as('operator', 'SCAN', '0', 'MATCH', 'pulls/*')).toBeDefined();
  expect(environmentOf('gateway')['REDIS_URL']).toMatch(/^redis:\/\/gateway:\$\{REDIS_GATEWAY_PASSWORD:\?/);
  expect(environmentOf('redis-worker')['REDIS_URL']).toMatch(/^redis:\/\/redis-worker:\$\{REDIS_WORKER_PASSWORD:\?/);
  expect(environmentOf('stats')['REDIS_URL']).toMatch(/^redis:\/\/stats:\$\{REDIS_STATS_PASSWORD:\?/);
});

test('started as docker-compose.yml starts it, it lets nobody in who is not one of them', async () => {
  const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
  const [, block = ''] = /\n {6}- \|\n((?: {8}.*\n)*? {8}CONFIG\n)/.exec(compose) ?? [];
  const port = await freePort();
  const script = block
    .replaceAll('$$', '$')
    .replaceAll('/weir/', `${deploy('')}/`)
    .replace('dir /data', `dir ${dir.path}\nport ${port}\nbind 127.0.0.1`);
  const passwords = passwordsOf('redis');
  const child = spawn('sh', ['-c', script.replace(/^ {8}/gm, '')], { env: { PATH: process.env['PATH'], ...passwords }, stdio: 'ignore' }); // prettier-ignore
  const exited = once(child, 'exit');
  const operator = new Redis({
    port,
    commandTimeout: 2000,
    username: 'operator',
    password: passwords['REDIS_OPERATOR_PASSWORD'] ?? '',
  });
  operator.on('error', () => {});
  await until(async () => (await operator.ping()) === 'PONG');
  const names = ((await operator.call('ACL', 'LIST')) as string[]).map((line) => line.split(' ')[1]);
  expect(names.sort()).toEqual(['default', 'gateway', 'operator', 'redis-worker', 'stats']);
  expect((await operator.config('GET', 'appendfsync')) as string[]).toEqual(['appendfsync', 'always']);
  const said = async (command: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${command}\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return answer.toString();
  };
  expect(await said('PING')).toMatch(/^-NOAUTH/);
  for (const password of ['', 'default', passwords['REDIS_OPERATOR_PASSWORD']]) {
    expect(await said(`AUTH "${password}"`)).toMatch(/^-WRONGPASS/);
  }
  operator.disconnect();
  child.kill('SIGTERM');
  await exited;
});
