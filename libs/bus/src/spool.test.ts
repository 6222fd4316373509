import { mkdir, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { temporaryDirectory } from '@weir/testing';
import pino from 'pino';
import { openSpool, type Spool } from './spool';
import { SpoolError } from './spool-error';

const log = pino({ level: 'silent' });
let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let spool: Spool;

const open = (maxBytes = 1024 ** 2) => openSpool({ dir: join(dir.path, 'spool'), maxBytes, log });
const openBig = (maxBytes: number) => openSpool({ dir: join(dir.path, 'big'), maxBytes, log });
const payload = (n: number) => Buffer.from(`event ${n}`);
const segments = async () => (await readdir(join(dir.path, 'spool'))).filter((name) => name.endsWith('.spool'));

async function drainAll(from: Spool): Promise<string[]> {
  const drained: string[] = [];
  for (let segment = await from.oldest(); segment; segment = await from.oldest()) {
    drained.push(...segment.payloads.map(String));
    await from.remove(segment);
  }
  return drained;
}

beforeEach(async () => {
  dir = await temporaryDirectory();
  spool = await open();
});
afterEach(async () => {
  await spool.close();
  await dir.remove();
});

test('what was appended is read back in order, and gone once removed', async () => {
  await Promise.all([1, 2, 3].map((n) => spool.append(payload(n))));
  expect(spool.depth()).toMatchObject({ events: 3 });
  expect(await drainAll(spool)).toEqual(['event 1', 'event 2', 'event 3']);
  expect(spool.depth()).toEqual({ events: 0, bytes: 0 });
  expect(await segments()).toEqual([]);
});

test('nothing is lost when events are appended while others are drained', async () => {
  const appended: string[] = [];
  const drained: string[] = [];
  const appending = (async () => {
    for (let n = 0; n < 400; n += 1) {
      await Promise.all([spool.append(payload(n)), spool.append(payload(n + 1000))]);
      appended.push(`event ${n}`, `event ${n + 1000}`);
    }
  })();
  for (let done = false; !done;) {
    done = await Promise.race([
      appending.then(() => true),
      new Promise<false>((resolve) => setImmediate(resolve, false)),
    ]);
    drained.push(...(await drainAll(spool)));
  }
  drained.push(...(await drainAll(spool)));
  expect(drained.sort()).toEqual(appended.sort());
});

test('a new owner finds what an old one left', async () => {
  await spool.append(payload(1));
  await spool.close();
  spool = await open();
  expect(spool.depth()).toMatchObject({ events: 1 });
  await spool.append(payload(2));
  expect(await drainAll(spool)).toEqual(['event 1', 'event 2']);
});

test('a torn last record and a flipped bit cost only themselves, and a copy is kept', async () => {
  for (let n = 1; n <= 3; n += 1) await spool.append(payload(n));
  await spool.close();
  const [name = ''] = await segments();
  const path = join(dir.path, 'spool', name);
  const whole = await readFile(path);
  whole[15 + 10] = (whole[15 + 10] ?? 0) ^ 1; // in the payload of the second record: each is 8 + 7 bytes
  await writeFile(path, Buffer.concat([whole, Buffer.from([0, 0, 0, 9, 1, 2])]));
  spool = await open();
  expect(await drainAll(spool)).toEqual(['event 1', 'event 3']);
  expect(await readdir(join(dir.path, 'spool'))).toContain(`${name}.damaged`);
});

test('a damaged length costs only its own record', async () => {
  for (let n = 1; n <= 4; n += 1) await spool.append(payload(n));
  await spool.close();
  const [name = ''] = await segments();
  const path = join(dir.path, 'spool', name);
  const whole = await readFile(path);
  whole[15] = 255; // the second record seems to reach far beyond the end
  whole[30 + 3] = 6; // the third seems to be a byte shorter
  await writeFile(path, whole);
  spool = await open();
  expect(await drainAll(spool)).toEqual(['event 1', 'event 4']);
  expect(spool.depth().events).toBe(0);
});

test('an empty segment and one of rubbish stop nothing', async () => {
  await spool.close();
  await writeFile(join(dir.path, 'spool', '0000000000000007.spool'), '');
  await writeFile(join(dir.path, 'spool', '0000000000000008.spool'), Buffer.alloc(100, 255));
  spool = await open();
  await spool.append(payload(1));
  expect(await drainAll(spool)).toEqual(['event 1']);
});

test('beyond its quota the spool refuses, and what it has stays', async () => {
  await spool.close();
  spool = await open(40);
  await spool.append(payload(1));
  await spool.append(payload(2));
  await expect(spool.append(payload(3))).rejects.toThrow(SpoolError);
  await expect(spool.append(payload(3))).rejects.toThrow(/full: 40 bytes/);
  expect(await drainAll(spool)).toEqual(['event 1', 'event 2']);
  await spool.append(payload(4));
  expect(await drainAll(spool)).toEqual(['event 4']);
});

test('a second owner is refused by name; a lock whose process is gone is taken over', async () => {
  await expect(open()).rejects.toThrow(new RegExp(`in use by process ${process.pid}.*SPOOL_DIR`));
  await spool.close();
  await writeFile(join(dir.path, 'spool', 'lock'), JSON.stringify({ pid: process.pid, started: '1' }));
  spool = await open();
  await spool.append(payload(1));
});

test('an owner in another container, whose process numbers are not ours, keeps its spool as long as it lives', async () => {
  await spool.close();
  const owner = createServer();
  await new Promise<void>((resolve) => owner.listen(join(dir.path, 'spool', 'lock.1.sock'), resolve));
  const lock = { pid: process.pid, started: '1', where: 'another pid:[1]', socket: 'lock.1.sock' };
  await writeFile(join(dir.path, 'spool', 'lock'), JSON.stringify(lock));
  await expect(open()).rejects.toThrow(/in use by process/);
  await new Promise((resolve) => owner.close(resolve));
  spool = await open();
  await spool.append(payload(1));
});

test('of many who find a dead lock at once, one gets it', async () => {
  await spool.close();
  await writeFile(join(dir.path, 'spool', 'lock'), JSON.stringify({ pid: process.pid, started: '1' }));
  const opened = await Promise.allSettled(Array.from({ length: 8 }, () => open()));
  const owners = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  expect(owners).toHaveLength(1);
  spool = owners[0] as Spool;
});

test('a spool that is closed twice does not give away what has a new owner', async () => {
  const old = spool;
  await old.close();
  spool = await open();
  await old.close();
  await expect(open()).rejects.toThrow(/in use/);
});

test('a quota counts what is still being written', async () => {
  await spool.close();
  spool = await open(40);
  const results = [spool.append(payload(1))];
  await Promise.resolve().then(() => {}); // the first is on its way to the disk
  await new Promise(setImmediate);
  results.push(spool.append(payload(2)), spool.append(payload(3)));
  const outcomes = (await Promise.allSettled(results)).map(({ status }) => status);
  expect(outcomes).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(spool.depth().bytes).toBeLessThanOrEqual(40);
});

test('what could not be read back is not taken', async () => {
  const big = await openBig(8 * 1024 ** 2);
  await expect(big.append(Buffer.alloc(1024 ** 2 + 1, 1))).rejects.toThrow(SpoolError);
  await expect(big.append(Buffer.alloc(0))).rejects.toThrow(SpoolError);
  await big.append(Buffer.alloc(1024 ** 2, 1));
  await big.append(payload(1));
  expect((await drainAll(big)).map(({ length }) => length)).toEqual([1024 ** 2, 7]);
  await big.close();
});

test('a burst is cut into segments that fit into memory', async () => {
  const big = await openBig(64 * 1024 ** 2);
  await Promise.all(Array.from({ length: 40 }, () => big.append(Buffer.alloc(900_000, 1))));
  for (const name of await readdir(join(dir.path, 'big'))) {
    expect((await stat(join(dir.path, 'big', name))).size).toBeLessThan(20 * 1024 ** 2);
  }
  expect((await drainAll(big)).length).toBe(40);
  await big.close();
});

test('a segment that somebody has deleted does not stop the others', async () => {
  await spool.append(payload(1));
  await spool.close();
  spool = await open();
  const [name = ''] = await segments();
  await spool.append(payload(2));
  await unlink(join(dir.path, 'spool', name));
  expect(await drainAll(spool)).toEqual(['event 2']);
  expect(spool.depth()).toEqual({ events: 0, bytes: 0 });
});

test('a directory that is named like a part of the spool is left alone', async () => {
  await spool.close();
  await mkdir(join(dir.path, 'spool', '0000000000000007.spool'));
  spool = await open();
  await spool.append(payload(1));
  expect(await drainAll(spool)).toEqual(['event 1']);
  expect(await segments()).toEqual(['0000000000000007.spool']);
});

test('a place where no directory can be made is an error at once', async () => {
  await expect(openSpool({ dir: '/proc/no-such-place/spool', maxBytes: 1, log })).rejects.toThrow(/no-such-place/);
});

test('only the owner may read it', async () => {
  await spool.append(payload(1));
  const [name = ''] = await segments();
  expect((await stat(join(dir.path, 'spool'))).mode & 0o777).toBe(0o700);
  expect((await stat(join(dir.path, 'spool', name))).mode & 0o777).toBe(0o600);
});
