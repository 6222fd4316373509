import { constants } from 'node:fs';
import { copyFile, readdir, readFile, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createFile, makeDirectory, syncDirectory, writeAt } from './spool-disk';
import { decodeSegment, encodeRecord, MAX_PAYLOAD_BYTES, type Damage } from './spool-segment';
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
/** What waits for the disk at most; a disk that hangs must not fill the memory. A publisher's full window fits. */
const WAITING_BYTES = 256 * 1024 ** 2;
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
  const { unlock, files } = await occupy(dir, log).catch((error: unknown) => {
    throw new SpoolError((error as Error).message);
  });
  let number = Number(files.at(-1)?.name.slice(0, 16) ?? 0);
  let active: { handle: FileHandle; file: File } | undefined;
  const waiting: Waiting[] = [];
  /** Bytes that wait or are being written. */
  let promised = 0;
  let problem: string | undefined;
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
    const handle = await createFile(dir, name);
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
      const batch = nextBatch();
      const block = Buffer.concat(batch.map(({ record }) => record));
      try {
        const { handle, file } = await activeFile();
        await writeAt(handle, block, file.bytes);
        await handle.datasync();
        file.bytes += block.length;
        file.events += batch.length;
        add({ events: batch.length, bytes: block.length });
        for (const { resolve } of batch) resolve();
        if (problem) log.info('the spool can be written again');
        problem = undefined;
      } catch (error) {
        // After a failed fdatasync the kernel may have dropped the pages: this file is not written to again
        // (reference reliability A.8, rule 4). What waited here was not acknowledged and is not now.
        await abandon(error as Error, batch);
      }
      promised -= block.length;
    }
    flushing = undefined; // in one go with the last look at `waiting`: who comes later starts the next flush
  };

  /** What is written at once: of the size of a segment, for a segment is read back as a whole. */
  const nextBatch = (): Waiting[] => {
    let bytes = 0;
    let count = 0;
    while (count < waiting.length && bytes < SEGMENT_BYTES) bytes += waiting[count++]?.record.length ?? 0;
    return waiting.splice(0, count);
  };

  const abandon = async (error: NodeJS.ErrnoException, batch: Waiting[]): Promise<void> => {
    // Once per problem: a disk stays full for hours, and every event would say so.
    const found = error.code ?? error.message;
    if (problem !== found) log.error({ err: error, events: batch.length }, 'the spool could not be written');
    problem = found;
    const broken = active;
    active = undefined;
    if (broken) {
      await broken.handle.truncate(broken.file.bytes).catch(() => {});
      await broken.handle.close().catch(() => {});
      if (broken.file.events === 0) {
        forget(broken.file.name);
        await unlink(join(dir, broken.file.name)).catch(() => {});
      }
    }
    for (const { reject } of batch) reject(new SpoolError(`The spool cannot be written: ${error.message}`));
  };

  const forget = (name: string): void => {
    const at = files.findIndex((file) => file.name === name);
    const [gone] = at < 0 ? [] : files.splice(at, 1);
    if (gone) add({ events: -gone.events, bytes: -gone.bytes });
  };

  const read = async ({ name, events }: File): Promise<Segment | undefined> => {
    let segment;
    try {
      segment = await readFile(join(dir, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      if (events > 0) log.error({ segment: name, events }, 'a part of the spool was deleted');
      return undefined;
    }
    const { payloads, damaged } = decodeSegment(segment);
    if (damaged.length > 0) await keepDamaged(dir, name, damaged, log);
    return { name, payloads };
  };

  const refusal = (payload: Buffer, bytes: number): string | undefined => {
    if (closed) return 'The spool is closed';
    if (payload.length === 0 || payload.length > MAX_PAYLOAD_BYTES)
      return `The spool takes events of 1 to ${MAX_PAYLOAD_BYTES} bytes, not of ${payload.length}`;
    if (used.bytes + promised + bytes > maxBytes) return `The spool is full: ${maxBytes} bytes are allowed`;
    if (promised + bytes > WAITING_BYTES) return `The disk does not keep up: ${promised} bytes wait for it`;
    return undefined;
  };

  return {
    append(payload) {
      const record = encodeRecord(payload);
      const refused = refusal(payload, record.length);
      if (refused) return Promise.reject(new SpoolError(refused));
      promised += record.length;
      return new Promise((resolve, reject) => {
        waiting.push({ record, resolve, reject });
        flushing ??= inTurn(flush);
      });
    },
    async oldest() {
      for (let first = files[0]; first; first = files[0]) {
        const candidate = first;
        await inTurn(async () => (candidate === active?.file ? seal() : undefined));
        const segment = await read(candidate);
        if (segment) return segment;
        forget(candidate.name);
      }
      return undefined;
    },
    async remove({ name }) {
      await unlink(join(dir, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
      await syncDirectory(dir);
      forget(name);
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

/** Makes the directory ours and counts what is in it. */
async function occupy(dir: string, log: Logger): Promise<{ unlock: () => Promise<void>; files: File[] }> {
  await makeDirectory(dir);
  const unlock = await lockDirectory(dir);
  try {
    return { unlock, files: await findSegments(dir, log) };
  } catch (error) {
    await unlock();
    throw error;
  }
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
