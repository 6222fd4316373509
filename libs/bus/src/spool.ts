import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { decodeSegment, encodeRecord, type Damage } from './spool-segment';
import { lockDirectory } from './spool-lock';

/** The disk does not take the event: full, over the quota, failing, or in use by another process. */
export class SpoolError extends Error {
  override name = 'SpoolError';
}

/** Some records of the spool, read back to be sent. */
export interface Segment {
  name: string;
  payloads: Buffer[];
}

/**
 * What the broker has not confirmed, on disk: append-only segments, acknowledged only after fdatasync.
 *
 * Everybody who waits at one time shares one write and one fdatasync (group commit). A segment is removed only when
 * all of it has been confirmed; a crash before that sends some of it again, with the same identities.
 */
export interface Spool {
  /** Resolves when the payload is durably on disk. @throws SpoolError when it is not. */
  append(payload: Buffer): Promise<void>;
  /** The oldest segment, sealed so that nothing is appended to it any more; undefined when the spool is empty. */
  oldest(): Promise<Segment | undefined>;
  /** Forgets a segment whose every payload has been confirmed. */
  remove(segment: Segment): Promise<void>;
  depth(): { events: number; bytes: number };
  /** Writes what is waiting and gives the directory back. */
  close(): Promise<void>;
}

const SEGMENT_BYTES = 8 * 1024 ** 2;
const SEGMENT_NAME = /^\d{16}\.spool$/;

interface Waiting {
  record: Buffer;
  resolve: () => void;
  reject: (error: SpoolError) => void;
}

interface File {
  name: string;
  events: number;
  bytes: number;
}

/**
 * Opens the spool in `dir` (made when missing, mode 0700) and counts what an earlier process left there.
 *
 * @throws SpoolError when the directory cannot be had or another process owns it.
 */
export async function openSpool({
  dir,
  maxBytes,
  log,
}: {
  dir: string;
  maxBytes: number;
  log: Logger;
}): Promise<Spool> {
  let unlock: () => Promise<void>;
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    unlock = await lockDirectory(dir);
  } catch (error) {
    throw new SpoolError((error as Error).message);
  }
  const files = await findSegments(dir, log);
  let number = Number(files.at(-1)?.name.slice(0, 16) ?? 0);
  let active: { handle: FileHandle; file: File } | undefined;
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let flushing: Promise<void> | undefined;
  let closed = false;
  const used = { events: 0, bytes: 0 };
  for (const file of files) add(file);

  function add({ events, bytes }: { events: number; bytes: number }): void {
    used.events += events;
    used.bytes += bytes;
  }

  // Writing, sealing and closing take turns: none may find the active segment half changed.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => {});
    return mine;
  };

  const activeFile = async (): Promise<{ handle: FileHandle; file: File }> => {
    if (active && active.file.bytes >= SEGMENT_BYTES) await seal();
    if (active) return active;
    number += 1;
    const name = `${String(number).padStart(16, '0')}.spool`;
    const handle = await open(join(dir, name), 'wx', 0o600);
    await syncDirectory(dir);
    active = { handle, file: { name, events: 0, bytes: 0 } };
    files.push(active.file);
    return active;
  };

  const seal = async (): Promise<void> => {
    const sealed = active;
    active = undefined;
    await sealed?.handle.close().catch(() => {});
  };

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      waitingBytes = 0;
      try {
        const { handle, file } = await activeFile();
        const block = Buffer.concat(batch.map(({ record }) => record));
        await write(handle, block, file.bytes);
        await handle.datasync();
        file.bytes += block.length;
        file.events += batch.length;
        add({ events: batch.length, bytes: block.length });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // After a failed fdatasync the kernel may have dropped the pages: this file is not written to again
        // (reference reliability A.8, rule 4). What waited here was not acknowledged and is not now.
        await abandon(error as Error, batch);
      }
    }
    flushing = undefined; // in one go with the last look at `waiting`: who comes later starts the next flush
  };

  const abandon = async (error: Error, batch: Waiting[]): Promise<void> => {
    log.error({ err: error, events: batch.length }, 'the spool could not be written');
    const broken = active;
    active = undefined;
    if (broken) {
      await broken.handle.truncate(broken.file.bytes).catch(() => {});
      await broken.handle.close().catch(() => {});
      if (broken.file.events === 0) {
        files.splice(files.indexOf(broken.file), 1);
        await unlink(join(dir, broken.file.name)).catch(() => {});
      }
    }
    for (const { reject } of batch) reject(new SpoolError(`The spool cannot be written: ${error.message}`));
  };

  return {
    append(payload) {
      const record = encodeRecord(payload);
      if (closed) return Promise.reject(new SpoolError('The spool is closed'));
      if (used.bytes + waitingBytes + record.length > maxBytes) {
        return Promise.reject(new SpoolError(`The spool is full: ${maxBytes} bytes are allowed`));
      }
      waitingBytes += record.length;
      return new Promise((resolve, reject) => {
        waiting.push({ record, resolve, reject });
        flushing ??= inTurn(flush);
      });
    },
    async oldest() {
      const first = files[0];
      if (!first) return undefined;
      await inTurn(async () => (first === active?.file ? seal() : undefined));
      const { payloads, damaged } = decodeSegment(await readFile(join(dir, first.name)));
      if (damaged.length > 0) await keepDamaged(dir, first.name, damaged, log);
      return { name: first.name, payloads };
    },
    async remove({ name }) {
      await unlink(join(dir, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
      await syncDirectory(dir);
      const at = files.findIndex((file) => file.name === name);
      const [removed] = at < 0 ? [] : files.splice(at, 1);
      if (removed) add({ events: -removed.events, bytes: -removed.bytes });
    },
    depth: () => ({ ...used }),
    async close() {
      closed = true;
      await flushing;
      await inTurn(seal);
      await unlock();
    },
  };
}

async function findSegments(dir: string, log: Logger): Promise<File[]> {
  const names = (await readdir(dir)).filter((name) => SEGMENT_NAME.test(name)).sort();
  const files: File[] = [];
  for (const name of names) {
    const { payloads } = decodeSegment(await readFile(join(dir, name)));
    files.push({ name, events: payloads.length, bytes: (await stat(join(dir, name))).size });
  }
  const events = files.reduce((sum, file) => sum + file.events, 0);
  if (events > 0) log.info({ events, segments: files.length }, 'found events in the spool');
  return files;
}

/**
 * Keeps a copy of a damaged segment for whoever wants to look; the sound records in it are sent as usual. A torn last
 * record is what a crash leaves and was not acknowledged; it is kept all the same, since nobody can tell from outside.
 */
async function keepDamaged(dir: string, name: string, damaged: Damage[], log: Logger): Promise<void> {
  const kept = `${name}.damaged`;
  try {
    await copyFile(join(dir, name), join(dir, kept), constants.COPYFILE_EXCL);
    log.error({ segment: name, damaged, kept }, 'a part of the spool is damaged');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      log.error({ err: error, segment: name }, 'damaged, and no copy');
  }
}

/** Writes all of `block` at `position`; a short write (disk full) continues, until it fails. */
async function write(handle: FileHandle, block: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < block.length) {
    written += (await handle.write(block, written, block.length - written, position + written)).bytesWritten;
  }
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  await handle.sync().finally(() => handle.close());
}
