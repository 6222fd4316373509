import { lstat, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { unpackContext } from './context';
import type { Refusal } from './refusal';
import { archive, temporaryDirectory, type RawEntry } from './service.fixture';

const limits = { entries: 50, bytes: 1024 * 1024 };
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let count = 0;

beforeAll(async () => {
  root = await temporaryDirectory();
});
afterAll(() => root.remove());

async function unpack(content: Buffer): Promise<string> {
  const path = join(root.path, `${(count += 1)}.tar`);
  const dir = join(root.path, `context-${count}`);
  await writeFile(path, content);
  await unpackContext(path, dir, limits);
  return dir;
}

async function refusalOf(content: Buffer): Promise<Refusal['document']> {
  const error = (await unpack(content).then(
    () => undefined,
    (reason: unknown) => reason,
  )) as Refusal | undefined;
  if (error?.name !== 'Refusal') throw new Error(`was not refused: ${String(error)}`);
  return error.document;
}

const file = (path: string, content: string | Buffer = 'x'): RawEntry => ({ path, type: 'File', content });
const symlink = (path: string, linkpath: string): RawEntry => ({ path, type: 'SymbolicLink', linkpath });
const hardlink = (path: string, linkpath: string): RawEntry => ({ path, type: 'Link', linkpath });

describe('a build context', () => {
  it('is unpacked with its files, directories and links, plain or compressed', async () => {
    const content = archive([
      { path: 'bin/', type: 'Directory' },
      file('a/b/c.txt', 'hello'),
      symlink('bin/c', '../a/b/c.txt'),
      symlink('here', './a'),
      hardlink('again.txt', 'a/b/c.txt'),
      symlink('nowhere', 'not/there'),
    ]);
    for (const form of [content, gzipSync(content)]) {
      const dir = await unpack(form);
      expect((await readdir(dir)).sort()).toEqual(['a', 'again.txt', 'bin', 'here', 'nowhere']);
      expect(await readFile(join(dir, 'bin/c'), 'utf8')).toBe('hello');
      expect(await readFile(join(dir, 'here/b/c.txt'), 'utf8')).toBe('hello');
      expect(await readFile(join(dir, 'again.txt'), 'utf8')).toBe('hello');
      expect(await readlink(join(dir, 'nowhere'))).toBe('not/there');
    }
  });

  it.each<[string, RawEntry[], RegExp]>([
    ['an absolute path', [file('/etc/weir-attack')], /absolute path/],
    ['a path that climbs', [file('../weir-attack')], /\.\. in its path/],
    ['a path that climbs in the middle', [file('a/../../weir-attack')], /\.\. in its path/],
    ['a symbolic link to an absolute path', [symlink('a', '/etc')], /absolute path/],
    ['a symbolic link that climbs out', [symlink('a/b', '../../etc')], /out of the context/],
    ['a symbolic link that climbs out by one', [symlink('a', '..')], /out of the context/],
    [
      'a symbolic link that climbs out through another',
      [symlink('a/b/c/up', '../../..'), symlink('out', 'a/b/c/up/../etc')],
      /in the middle of its target/,
    ],
    [
      'a file written through a symbolic link',
      [symlink('a', 'b'), { path: 'b/', type: 'Directory' }, file('a/f')],
      /cannot be unpacked/,
    ],
    ['a hard link to a file outside', [hardlink('a', '/etc/passwd')], /hard link/],
    ['a hard link that climbs', [hardlink('a', '../../../etc/passwd')], /hard link/],
    ['a hard link through a symbolic link', [symlink('s', 'd'), file('d/f'), hardlink('h', 's/f')], /hard link/],
    ['a hard link to nothing', [hardlink('a', 'b')], /hard link/],
    ['a character device', [{ path: 'null', type: 'CharacterDevice' }], /type that is not allowed, CharacterDevice/],
    ['a block device', [{ path: 'sda', type: 'BlockDevice' }], /type that is not allowed, BlockDevice/],
    ['a pipe', [{ path: 'p', type: 'FIFO' }], /type that is not allowed, FIFO/],
    ['too many directories', [file(`${'d/'.repeat(70)}f`)], /directories deep/],
  ])('is refused for %s', async (_what, entries, message) => {
    const document = await refusalOf(archive([file('Dockerfile'), ...entries]));
    expect(document).toMatchObject({ status: 400, errors: [{ field: 'context' }] });
    expect(document.detail).toMatch(message);
    expect(document.detail).not.toContain(root.path);
    await expect(lstat('/etc/weir-attack')).rejects.toThrow('ENOENT');
    await expect(lstat(join(root.path, 'weir-attack'))).rejects.toThrow('ENOENT');
  });

  it('is refused for too many entries, too many bytes, and a bomb', async () => {
    const many = archive(Array.from({ length: 51 }, (_, index) => file(`f${index}`, '')));
    expect(await refusalOf(many)).toMatchObject({ status: 413, detail: 'context must have at most 50 entries' });
    const large = archive([file('f', Buffer.alloc(700_000)), file('g', Buffer.alloc(700_000))]);
    expect(await refusalOf(gzipSync(large))).toMatchObject({
      status: 413,
      detail: expect.stringContaining('1048576') as string,
    });
    // Everything is after the archive's end, where no entry is: only the decompressor sees it.
    const bomb = Buffer.concat([archive([file('f')]), Buffer.alloc(64 * 1024 * 1024)]);
    expect(await refusalOf(gzipSync(bomb))).toMatchObject({ status: 413 });
  });

  it('is refused when it is no archive, is cut off, or is damaged', async () => {
    expect((await refusalOf(Buffer.from('hello'))).detail).toMatch(/must be a tar archive/);
    expect((await refusalOf(gzipSync(gzipSync(archive([file('f')]))))).detail).toMatch(/must be a tar archive/);
    expect((await refusalOf(Buffer.alloc(0))).detail).toMatch(/must be a tar archive/);
    const content = archive([file('f', Buffer.alloc(100_000, 1)), file('g')]);
    expect((await refusalOf(content.subarray(0, 50_000))).detail).toMatch(/cannot be unpacked/);
    expect((await refusalOf(gzipSync(content).subarray(0, 100))).detail).toMatch(/cannot be unpacked/);
    const damaged = archive([file('f'), file('g')]);
    damaged.write('garbage', 1024 + 100);
    expect((await refusalOf(damaged)).detail).toMatch(/cannot be unpacked/);
  });
});
