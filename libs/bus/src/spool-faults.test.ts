import {
  link,
  mkdir,
  open as openFile,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, until } from '@weir/testing';
import pino from 'pino';
import { openSpool, type Spool, type SpoolOptions } from './spool';
import { diskDouble, type DiskDouble } from './spool-disk-double';
import { SpoolError } from './spool-error';

/** A spool on a disk that fails. The disk is the real one behind a double that makes single calls fail. */
const lines: string[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let dir: string;
let disk: DiskDouble;
let spool: Spool;
let damaged: number;

const open = async (options: Partial<SpoolOptions> = {}) => {
  const onDamage = (places: number) => void (damaged += places);
  return (spool = await openSpool({ dir, maxBytes: 1024 ** 2, log, fs: disk.fs, onDamage, ...options }));
};
const reopen = async (options: Partial<SpoolOptions> = {}) => {
  await spool.close();
  return open(options);
};
const payload = (n: number) => Buffer.from(`event ${n}`);
const append = (...numbers: number[]) => Promise.all(numbers.map((n) => spool.append(payload(n))));
const names = async () => (await readdir(dir)).filter((name) => !name.startsWith('lock')).sort();
const reasonOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'taken',
    (error: unknown) => (error instanceof SpoolError ? error.reason : error),
  );

async function drainAll(): Promise<string[]> {
  const drained: string[] = [];
  for (let segment = await spool.oldest(); segment; segment = await spool.oldest()) {
    drained.push(...segment.payloads.map(String));
    await spool.remove(segment);
  }
  return drained;
}

beforeEach(async () => {
  root = await temporaryDirectory();
  dir = join(root.path, 'spool');
  disk = diskDouble();
  damaged = 0;
  lines.length = 0;
  await open();
});
afterEach(async () => {
  disk.mend();
  await spool.close();
  await root.remove();
});

describe('a disk that does not take events', () => {
  test.each([
    ['ENOSPC', 'write', 'The disk of the spool is full'],
    ['EDQUOT', 'write', 'The disk of the spool is full'],
    ['EFBIG', 'write', 'The disk of the spool is full'],
    ['ENOSPC', 'create', 'The disk of the spool is full'],
    ['EROFS', 'create', 'The disk of the spool is read-only'],
    ['EACCES', 'create', 'The spool may not be written'],
    ['EIO', 'write', 'The disk of the spool fails'],
    ['EIO', 'datasync', 'The disk of the spool fails'],
    ['EIO', 'syncDirectory', 'The disk of the spool fails'],
  ] as const)(
    '%s from %s is a refusal that says why; it is over when the disk is sound',
    async (code, call, reason) => {
      await append(1);
      await reopen(); // so that a new segment is needed
      disk.fail(call, code);
      expect(await reasonOf(spool.append(payload(2)))).toBe(reason);
      expect(spool.state()).toBe(reason);
      expect(reason).not.toContain(dir);
      disk.mend();
      await until(() => spool.state() === true);
      await append(3);
      expect(spool.depth().events).toBe(2);
      expect(await drainAll()).toEqual(['event 1', 'event 3']);
      expect(await names()).toEqual([]);
    },
  );

  test('one failure of one file costs nothing: the same goes into a new one', async () => {
    await append(1);
    disk.fail('datasync', 'EIO', 1);
    await append(2, 3);
    expect(spool.state()).toBe(true);
    expect(await drainAll()).toEqual(['event 1', 'event 2', 'event 3']);
  });

  test('a file whose fdatasync has failed is never written again', async () => {
    await append(1);
    const [first = ''] = await names();
    const written = new Set<string>();
    disk.fail('datasync', 'EIO', 1);
    disk.before('datasync', () => disk.before('write', (path) => written.add(path)));
    await append(2);
    await append(3);
    expect([...written]).toHaveLength(1);
    expect([...written]).not.toContain(join(dir, first));
  });

  test('while it fails nothing is left behind, however many events come', async () => {
    disk.fail('datasync', 'EIO');
    for (let n = 0; n < 50; n += 1) await expect(spool.append(payload(n))).rejects.toThrow(SpoolError);
    disk.fail('syncDirectory', 'EIO');
    for (let n = 0; n < 50; n += 1) await expect(spool.append(payload(n))).rejects.toThrow(SpoolError);
    expect(await names()).toEqual([]);
    expect(disk.calls.get('datasync')).toBeLessThan(20); // it is asked now and then, not with every event
    expect(lines.filter((line) => line.includes('cannot be written'))).toHaveLength(1);
  });

  test('what failed and could not be cut off is not read back, neither now nor doubled after a restart', async () => {
    await append(1);
    disk.fail('truncate', 'EIO');
    disk.fail('datasync', 'EIO');
    expect(await reasonOf(spool.append(payload(2)))).toBe('The disk of the spool fails');
    disk.mend();
    await until(() => spool.state() === true);
    await append(3);
    const read = [...((await spool.oldest())?.payloads ?? [])].map(String);
    expect(read).toEqual(['event 1']);
    await reopen();
    const all = await drainAll();
    expect(all.filter((text) => text !== 'event 2')).toEqual(['event 1', 'event 3']);
    expect(damaged).toBe(0);
  });

  test('a file that cannot be closed or renamed is complete all the same', async () => {
    disk.fail('close', 'EIO');
    disk.fail('rename', 'EIO');
    await append(1);
    await reopen();
    expect(spool.depth().events).toBe(1);
    await append(2);
    disk.mend();
    expect(await drainAll()).toEqual(['event 1', 'event 2']);
  });

  test('one that hangs shows in the state, and holds no more than it may', async () => {
    let answer = () => {};
    disk.before('datasync', () => new Promise<void>((resolve) => (answer = resolve)));
    const hanging = spool.append(payload(1));
    await until(() => disk.calls.get('datasync') === 1);
    jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 11_000);
    expect(spool.state()).toBe('The disk of the spool does not answer');
    jest.restoreAllMocks();
    disk.before('datasync', () => {});
    answer();
    await hanging;
    expect(spool.state()).toBe(true);
  });
});

describe('a disk that does not give up or give back', () => {
  test('a segment that cannot be removed is not sent again, counts, and goes as soon as it can', async () => {
    await append(1);
    disk.fail('unlink', 'EROFS');
    expect(await drainAll()).toEqual(['event 1']);
    expect(await spool.oldest()).toBeUndefined();
    expect(spool.depth()).toMatchObject({ events: 0, bytes: 15 });
    disk.mend();
    await until(() => spool.depth().bytes === 0);
    expect(await names()).toEqual([]);
  });

  test('a removal that may not be durable is one all the same', async () => {
    await append(1);
    await spool.oldest();
    disk.fail('syncDirectory', 'EIO');
    expect(await drainAll()).toEqual(['event 1']);
    expect(spool.depth().events).toBe(0);
  });

  test('a segment that cannot be read does not keep back the others, and stays', async () => {
    await append(1);
    await reopen();
    await append(2);
    disk.fail('read', 'EIO', 1);
    expect((await spool.oldest())?.payloads.map(String)).toEqual(['event 2']);
    await spool.remove((await spool.oldest()) ?? { name: '', payloads: [] });
    await expect(spool.oldest()).rejects.toThrow('EIO');
    expect(spool.depth().events).toBe(1);
    await reopen();
    expect(await drainAll()).toEqual(['event 1']);
  });

  test('a spool that cannot be opened is given back, so that it can be opened once it can', async () => {
    await spool.close();
    await mkdir(join(root.path, 'other'), { recursive: true });
    await writeFile(join(root.path, 'other', 'lock'), '');
    await expect(openSpool({ dir: '/dev/null', maxBytes: 1, log })).rejects.toThrow(SpoolError);
    await open({ dir: join(root.path, 'other') });
    await append(1);
  });
});

describe('the quota', () => {
  test('counts all that lies in the directory, and says that it is full before it refuses', async () => {
    await reopen({ maxBytes: 200_000 });
    expect(spool.state()).toBe(true);
    await writeFile(join(dir, 'core.4711'), Buffer.alloc(150_000));
    await reopen({ maxBytes: 200_000 });
    expect(spool.depth()).toMatchObject({ events: 0, bytes: 150_000 });
    expect(spool.state()).toBe('The spool is full');
    await append(1); // it still fits
    expect(await reasonOf(spool.append(Buffer.alloc(60_000, 1)))).toBe('The spool is full');
    await unlink(join(dir, 'core.4711'));
    expect(await drainAll()).toEqual(['event 1']);
    await append(2); // a new segment: it has looked again
    expect(spool.state()).toBe(true);
  });

  test('counts copies of damaged segments, of which there are not too many, and does not take their numbers', async () => {
    const flip = async () => {
      const name = (await names()).find((each) => each.endsWith('.spool')) ?? '';
      const handle = await openFile(join(dir, name), 'r+');
      await handle.write(Buffer.from([255]), 0, 1, 20);
      await handle.close();
    };
    for (let round = 0; round < 6; round += 1) {
      await append(1);
      await spool.append(Buffer.alloc(40_000, 1));
      await reopen();
      await flip();
      expect(await drainAll()).toEqual(['event 1']);
    }
    const copies = await names();
    expect(copies).toHaveLength(3); // an eighth of the quota, 131072 bytes, holds so many of 40 kB
    expect(new Set(copies.map((name) => name.slice(0, 16)))).toEqual(
      new Set(['0000000000000001', '0000000000000002', '0000000000000003']),
    );
    expect(spool.depth()).toMatchObject({ events: 0, bytes: 3 * 40_023 });
    expect(damaged).toBe(6);
    expect(lines.join()).toContain('there are too many: look at them and delete them');
  });
});

describe('what is missing', () => {
  test('a segment that has lost its end or all of it says how many events are gone', async () => {
    await append(1, 2, 3);
    await reopen();
    await append(4, 5);
    await reopen();
    const [first = '', second = ''] = await names();
    await truncate(join(dir, first), 15);
    await truncate(join(dir, second), 0);
    await reopen();
    expect(spool.depth().events).toBe(5); // as far as anybody knows without reading
    expect(await drainAll()).toEqual(['event 1']);
    expect(spool.depth().events).toBe(0);
    expect(damaged).toBe(2);
    expect(lines.filter((line) => /"lost":2.*is damaged/.test(line))).toHaveLength(2);
    expect(await names()).toEqual([`${first}.damaged`, `${second}.damaged`]);
  });

  test('the age of the oldest event is known, after a restart too', async () => {
    expect(spool.depth().since).toBeUndefined();
    const before = Date.now();
    await append(1);
    expect(spool.depth().since).toBeGreaterThanOrEqual(before);
    await reopen();
    const [name = ''] = await names();
    await utimes(join(dir, name), new Date(), new Date('2020-01-01'));
    await append(2);
    await reopen();
    expect(spool.depth().since).toBe(Date.parse('2020-01-01'));
    await spool.remove((await spool.oldest()) ?? { name: '', payloads: [] });
    expect(spool.depth().since).toBeGreaterThanOrEqual(Math.floor(before / 1000) * 1000);
  });

  test('a large spool is opened without reading what its names tell', async () => {
    for (let round = 0; round < 5; round += 1) {
      await append(1, 2);
      await reopen();
    }
    disk.calls.clear();
    await reopen();
    expect(spool.depth().events).toBe(10);
    expect(disk.calls.get('read') ?? 0).toBe(0);
  });
});

describe('what somebody has put there', () => {
  test('a link in the place of a segment is not followed, at the start or later', async () => {
    const secret = join(root.path, 'secret');
    await append(1);
    const [own = ''] = await names();
    await link(join(dir, own), secret);
    await spool.close();
    await symlink(secret, join(dir, '0000000000000000.1.spool'));
    await open();
    expect(spool.depth().events).toBe(1);
    expect(await drainAll()).toEqual(['event 1']);
    expect(await names()).toEqual(['0000000000000000.1.spool']);

    await append(2);
    await reopen();
    const segment = (await names()).find((name) => !name.startsWith('0000000000000000')) ?? '';
    await unlink(join(dir, segment));
    await symlink(secret, join(dir, segment));
    await expect(spool.oldest()).rejects.toThrow('ELOOP');
    expect(await readFile(secret)).toHaveLength(15);
  });

  test('a link in the place of the next segment is not written through', async () => {
    const target = join(root.path, 'target');
    await writeFile(target, 'mine');
    await symlink(target, join(dir, '0000000000000001.spool'));
    await append(1); // it takes the next number
    expect(await readFile(target, 'utf8')).toBe('mine');
    expect(await drainAll()).toEqual(['event 1']);
  });

  test('a lock that names a socket elsewhere makes nothing be removed there', async () => {
    await spool.close();
    await writeFile(join(root.path, 'precious'), '');
    await writeFile(join(dir, 'lock'), JSON.stringify({ pid: 1, started: '0', where: 'x', socket: '../precious' }));
    await open();
    expect((await stat(join(root.path, 'precious'))).isFile()).toBe(true);
  });

  test('a directory that was open to others is closed to them', async () => {
    await spool.close();
    await mkdir(join(root.path, 'open'), { mode: 0o755 });
    await open({ dir: join(root.path, 'open') });
    expect((await stat(join(root.path, 'open'))).mode & 0o777).toBe(0o700);
  });
});
