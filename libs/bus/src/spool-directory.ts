import { lstat, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createFile, readRegular, syncDirectory, writeAt, type FileSystem } from './spool-disk';
import { keepDamaged, othersIn, type Others } from './spool-damage';
import { decodeSegment } from './spool-segment';

/** A segment as it lies in the directory. */
export interface SegmentFile {
  /** `<number>.spool` while it is written; `<number>.<events>.spool` once nothing is appended to it any more. */
  name: string;
  /** Records in it that were acknowledged. */
  events: number;
  /** Where the last of them ends. */
  end: number;
  /** What it takes of the disk: more than `end` where a failed write could not be cut off. */
  bytes: number;
  /** When it was begun, Unix time in milliseconds: no record in it is older. */
  since: number;
}

/** The files of a spool: which there are, how they come, are read and go. What is in them is written by `openSpool`. */
export interface SpoolDirectory {
  /** Oldest first. */
  files: readonly SegmentFile[];
  create(): Promise<{ handle: FileHandle; file: SegmentFile }>;
  /** Records were acknowledged. */
  grew(file: SegmentFile, events: number, bytes: number): void;
  /** A write failed, and these bytes of it may still be in the file. */
  charge(file: SegmentFile, bytes: number): void;
  /** Nothing more will be appended: its name tells from now on how many records it must hold. */
  seal(file: SegmentFile): Promise<void>;
  /** Its sound records; undefined when somebody has deleted it. @throws when it cannot be read. */
  read(file: SegmentFile): Promise<Buffer[] | undefined>;
  /** Forgets a segment and removes it, later where the disk refuses that now. Never rejects. */
  discard(file: SegmentFile): Promise<void>;
  /** Whether the disk takes writes: makes a file, durably, and removes it. @throws when it does not. */
  probe(): Promise<void>;
  /** `bytes` is all that lies in the directory: segments, what is left of them, copies of damaged ones. */
  depth(): { events: number; bytes: number; since: number | undefined };
  /** Tries once more to remove what could not be removed. */
  close(): Promise<void>;
}

export interface DirectoryOptions {
  dir: string;
  fs: FileSystem;
  log: Logger;
  /** What copies of damaged segments may take of the disk, bytes. */
  damagedBytes: number;
  /** Called with the number of places in which a segment was found damaged. */
  onDamage(places: number): void;
}

/**
 * A segment is written in blocks of about 8 MiB until it has 8 MiB, so that it never has more than 17; what is longer
 * is not ours as a whole, and reading it must not take all memory.
 */
const MAX_FILE_BYTES = 32 * 1024 ** 2;
const SEGMENT_NAME = /^(\d{16})(?:\.(\d{1,9}))?\.spool$/;
const PROBE = 'probe';
const PROBE_BYTES = 4096;
const REMOVE_AGAIN_MS = 5000;

/** Finds what an earlier process left. Only segments that it had not sealed, which is one unless the disk failed, are read. */
export async function openDirectory(options: DirectoryOptions): Promise<SpoolDirectory> {
  const { dir, fs, log, damagedBytes, onDamage } = options;
  const pathOf = (name: string) => join(dir, name);
  const found = await findSegments(options);
  const { files } = found;
  let { number } = found;
  let others: Others = await othersIn(dir, isSegment);
  const used = { events: 0, bytes: 0 };
  /** Files that are of no more use and that the disk would not give up. */
  const leftovers = new Map<string, number>();
  let removing: NodeJS.Timeout | undefined;
  for (const { events, bytes } of files) count(events, bytes);

  function count(events: number, bytes: number): void {
    used.events += events;
    used.bytes += bytes;
  }

  const measureOthers = async (): Promise<void> => {
    others = await othersIn(dir, isSegment).catch(() => others);
  };

  const tryToRemove = async (name: string): Promise<boolean> => {
    try {
      await fs.unlink(pathOf(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        if (!leftovers.has(name)) log.error({ err: error, segment: name }, 'a part of the spool cannot be removed');
        return false;
      }
    }
    // If the name came back after a power cut, its events would be sent again, under the identities they have.
    await syncDirectory(fs, dir).catch((error: unknown) => log.warn({ err: error }, 'a removal may not be durable'));
    return true;
  };

  const removeLeftovers = async (): Promise<void> => {
    for (const [name, bytes] of [...leftovers]) {
      if (!(await tryToRemove(name))) continue;
      leftovers.delete(name);
      count(0, -bytes);
    }
    if (leftovers.size > 0) removeLater();
  };
  const removeLater = (): void => {
    clearTimeout(removing);
    removing = setTimeout(() => void removeLeftovers(), REMOVE_AGAIN_MS).unref();
  };

  const forget = (file: SegmentFile): boolean => {
    const at = files.indexOf(file);
    if (at < 0) return false;
    files.splice(at, 1);
    count(-file.events, 0);
    return true;
  };

  /** Says what is wrong with a segment, keeps a copy, and takes what is lost off the count. */
  const judge = async (file: SegmentFile, events: number, places: number): Promise<void> => {
    const lost = file.events - events;
    count(-lost, 0);
    file.events = events;
    if (places === 0 && lost <= 0) return;
    onDamage(Math.max(1, places));
    await keepDamaged({ dir, name: file.name, fs, log, room: damagedBytes - others.damagedBytes, lost });
    await measureOthers();
  };

  return {
    files,
    async create() {
      number += 1;
      const name = `${String(number).padStart(16, '0')}.spool`;
      const handle = await createFile(fs, dir, name);
      await measureOthers();
      const file = { name, events: 0, end: 0, bytes: 0, since: Date.now() };
      files.push(file);
      return { handle, file };
    },
    grew(file, events, bytes) {
      file.events += events;
      file.end += bytes;
      file.bytes += bytes;
      count(events, bytes);
    },
    charge(file, bytes) {
      file.bytes += bytes;
      count(0, bytes);
    },
    async seal(file) {
      const sealed = `${file.name.slice(0, 16)}.${file.events}.spool`;
      // Not made durable: a name that was not changed only means that the next process has to count.
      await fs.rename(pathOf(file.name), pathOf(sealed)).then(
        () => (file.name = sealed),
        () => {},
      );
    },
    async read(file) {
      let content;
      try {
        content = await readRegular(fs, pathOf(file.name), Math.min(file.end, MAX_FILE_BYTES));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        if (file.events > 0) log.error({ segment: file.name, events: file.events }, 'a part of the spool was deleted');
        forget(file);
        count(0, -file.bytes);
        return undefined;
      }
      const { payloads, damaged } = decodeSegment(content);
      await judge(file, payloads.length, damaged.length + (file.end > MAX_FILE_BYTES ? 1 : 0));
      return payloads;
    },
    async discard(file) {
      if (!forget(file)) return;
      if (await tryToRemove(file.name)) return count(0, -file.bytes);
      leftovers.set(file.name, file.bytes);
      removeLater();
    },
    async probe() {
      await removeProbe(fs, dir);
      const handle = await createFile(fs, dir, PROBE);
      try {
        await writeAt(handle, Buffer.alloc(PROBE_BYTES), 0);
        await handle.datasync();
      } finally {
        await handle.close().catch(() => {});
        await removeProbe(fs, dir);
      }
    },
    depth: () => ({
      events: used.events,
      bytes: used.bytes + others.bytes,
      since: files.find(({ events }) => events > 0)?.since,
    }),
    async close() {
      if (leftovers.size > 0) await removeLeftovers();
      clearTimeout(removing);
    },
  };
}

function isSegment(name: string): boolean {
  return SEGMENT_NAME.test(name);
}

async function findSegments({ dir, fs, log }: DirectoryOptions): Promise<{ files: SegmentFile[]; number: number }> {
  await removeProbe(fs, dir).catch(() => {});
  const files: SegmentFile[] = [];
  let number = 0;
  for (const name of (await readdir(dir)).sort()) {
    // Copies of damaged segments count: a new one must not take their numbers.
    number = Math.max(number, Number(/^\d{16}(?=\.)/.exec(name)?.[0] ?? 0));
    const [, , claim] = SEGMENT_NAME.exec(name) ?? [];
    if (!isSegment(name)) continue;
    const found = await lstat(join(dir, name));
    if (!found.isFile()) {
      log.error({ name }, 'something in the spool looks like a part of it and is no file: left alone');
      continue;
    }
    const { size, mtimeMs, birthtimeMs } = found;
    const events = claim === undefined ? await countIn(join(dir, name), fs, log) : Number(claim);
    const since = birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : mtimeMs; // where there is no birth time it is 0
    files.push({ name, events, end: size, bytes: size, since });
  }
  const events = files.reduce((sum, file) => sum + file.events, 0);
  if (events > 0) log.info({ events, segments: files.length }, 'found events in the spool');
  return { files, number };
}

/** 0 for what cannot be read now: it stays, and is tried again when its turn has come. */
async function countIn(path: string, fs: FileSystem, log: Logger): Promise<number> {
  try {
    return decodeSegment(await readRegular(fs, path, MAX_FILE_BYTES)).payloads.length;
  } catch (error) {
    log.error({ err: error }, 'a part of the spool cannot be read');
    return 0;
  }
}

async function removeProbe(fs: FileSystem, dir: string): Promise<void> {
  await fs.unlink(join(dir, PROBE)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
