import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Unpack, type ReadEntry } from 'tar';
import { invalid, Refusal, tooLarge } from './refusal';

export interface ContextLimits {
  entries: number;
  /** Of everything in the archive, decompressed. */
  bytes: number;
}

const FIELD = 'context';
const PATH_BYTES = 1024;
const DEPTH = 64;
const FILES = new Set(['File', 'OldFile', 'ContiguousFile']);
const GZIP = Buffer.from([0x1f, 0x8b]);
const BLOCK = 512;
const NO_ARCHIVE = invalid(FIELD, 'must be a tar archive, plain or compressed with gzip');

/**
 * Unpacks an uploaded tar (plain or gzip) into a new directory, and refuses it as a whole when any entry could reach
 * out of that directory or is no file, directory or link. Owners in the archive are ignored.
 *
 * Why the rule for links is enough: nothing is ever unpacked through a link, so the directory that holds a link is a
 * real one; a link's `..`s all stand at its beginning, so they act on that real directory and are counted there;
 * below, it can only meet links that obey the same rule. A hard link names a file that the archive itself brought.
 *
 * @throws Refusal naming the entry.
 */
export async function unpackContext(tarPath: string, dir: string, limits: ContextLimits): Promise<void> {
  const gzip = (await firstBytes(tarPath, GZIP.length)).equals(GZIP);
  await mkdir(dir, { mode: 0o700 });

  let refusal: Error | undefined;
  const entries = createEntryCheck(limits);
  const unpack = new Unpack({
    cwd: dir,
    preserveOwner: false,
    noMtime: false,
    strict: false,
    filter: (path, entry) => {
      refusal ??= entries(path, entry as ReadEntry);
      return refusal === undefined;
    },
    // tar leaves out what it does not know or finds unsafe, and says so here: half a context is no context.
    onwarn: (code, message) => {
      if (code !== 'TAR_ENTRY_INFO') refusal ??= invalid(FIELD, `cannot be unpacked: ${tidy(String(message), dir)}`);
    },
  });
  unpack.on('ignoredEntry', (entry: ReadEntry) => {
    refusal ??= isMeta(entry) ? undefined : refuse(entry.path, `is of a type that is not allowed, ${entry.type}`);
  });

  const source = createReadStream(tarPath);
  let over = false;
  unpack.on('eof', () => (over = true));
  const gate = createGate(limits.bytes, { refusal: () => refusal, over: () => over });
  try {
    // Unpack is a stream in all but name: it has write, end and the events, which is what pipeline needs.
    const sink = unpack as unknown as NodeJS.WritableStream;
    await (gzip ? pipeline(source, createGunzip(), gate, sink) : pipeline(source, gate, sink));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw refusal ?? invalid(FIELD, `cannot be unpacked: ${tidy((error as Error).message, dir)}`);
  }
  if (refusal) throw refusal;
}

/** Judges entries one by one; returns the refusal of the first that is not allowed. */
function createEntryCheck(limits: ContextLimits): (path: string, entry: ReadEntry) => Refusal | undefined {
  const files = new Set<string>();
  let count = 0;
  let bytes = 0;
  return (path, entry) => {
    count += 1;
    bytes += entry.size;
    if (count > limits.entries) return tooLarge(FIELD, `must have at most ${limits.entries} entries`);
    if (bytes > limits.bytes) return tooLarge(FIELD, `must unpack to at most ${limits.bytes} bytes`);
    if (Buffer.byteLength(path) > PATH_BYTES || path.includes('\0'))
      return refuse(path, `has a path of more than ${PATH_BYTES} bytes, or with a NUL character in it`);
    if (path.startsWith('/')) return refuse(path, 'has an absolute path');
    const parts = path.split('/');
    if (parts.includes('..')) return refuse(path, 'has .. in its path');
    if (parts.length > DEPTH) return refuse(path, `is more than ${DEPTH} directories deep`);

    if (FILES.has(entry.type)) files.add(posix.normalize(path));
    else if (entry.type === 'SymbolicLink') return checkSymbolicLink(path, entry.linkpath ?? '');
    else if (entry.type === 'Link' && !files.has(posix.normalize(entry.linkpath ?? '')))
      return refuse(path, 'is a hard link to something that is not a file earlier in the archive');
    else if (entry.type !== 'Link' && entry.type !== 'Directory' && entry.type !== 'GNUDumpDir')
      return refuse(path, `is of a type that is not allowed, ${entry.type}`);
    return undefined;
  };
}

function checkSymbolicLink(path: string, target: string): Refusal | undefined {
  if (target === '' || target.includes('\0') || Buffer.byteLength(target) > PATH_BYTES)
    return refuse(path, 'is a symbolic link without a usable target');
  if (target.startsWith('/')) return refuse(path, 'is a symbolic link to an absolute path');
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const up = parts.findIndex((part) => part !== '..');
  const climbs = up < 0 ? parts.length : up;
  if (parts.lastIndexOf('..') >= climbs) return refuse(path, 'is a symbolic link with .. in the middle of its target');
  const depth = posix.normalize(path).replace(/\/$/, '').split('/').length - 1;
  return climbs > depth ? refuse(path, 'is a symbolic link out of the context') : undefined;
}

/**
 * Stands between the bytes and tar. It stops everything once an entry was refused or too much came out of the
 * decompressor; it lets nothing through but tar, because tar itself would decompress what it recognises, uncounted; and
 * it drops what follows the end of the archive, because tar keeps that in memory.
 */
function createGate(limit: number, archive: { refusal: () => Error | undefined; over: () => boolean }): Transform {
  // Headers and padding are part of the stream but not of the content: a margin of one half is more than they take,
  // except in an archive of very many empty files, for which the limit on entries is there.
  const streamLimit = limit * 1.5 + 16 * 1024 * 1024;
  let bytes = 0;
  let start: Buffer | undefined = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (archive.refusal()) return done(archive.refusal());
      if (bytes > streamLimit) return done(tooLarge(FIELD, `must unpack to at most ${limit} bytes`));
      if (archive.over()) return done();
      if (!start) return done(null, chunk);
      start = Buffer.concat([start, chunk]);
      if (start.length < BLOCK) return done();
      if (!isTar(start)) return done(NO_ARCHIVE);
      this.push(start);
      start = undefined;
      done();
    },
    flush: (done) => done(start ? NO_ARCHIVE : null),
  });
}

/** A first header of the ustar, pax or GNU form: all three have the same word at the same place. */
function isTar(start: Buffer): boolean {
  return start.subarray(257, 262).toString('latin1') === 'ustar' && !start.subarray(0, GZIP.length).equals(GZIP);
}

function isMeta(entry: ReadEntry): boolean {
  return entry.meta || entry.type === 'NextFileHasLongPath' || entry.type === 'NextFileHasLongLinkpath';
}

function refuse(path: string, reason: string): Refusal {
  return invalid(FIELD, `has an entry ${JSON.stringify(path.slice(0, 200))} that ${reason}`);
}

/** Errors of the file system name our directory, which is nobody's business. */
function tidy(message: string, dir: string): string {
  return message.replaceAll(dir, '').slice(0, 300);
}

async function firstBytes(path: string, count: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
