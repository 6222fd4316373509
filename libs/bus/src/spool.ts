import type { FileHandle } from 'node:fs/promises';
import { limits } from '@weir/events';
import type { Logger } from 'pino';
import { openDirectory, type SegmentFile, type SpoolDepth, type SpoolDirectory } from './spool-directory';
import { fileSystem, makeDirectory, makePrivate, writeAt, type FileSystem } from './spool-disk';
import { SpoolError, spoolErrorOf } from './spool-error';
import { lockDirectory } from './spool-lock';
import { encodeRecords, HEADER_BYTES, MAX_PAYLOAD_BYTES } from './spool-segment';

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
  /** {@link append} for many; resolves with why each is not on disk, undefined for one that is. Never rejects. */
  appendAll(payloads: readonly Buffer[]): Promise<(SpoolError | undefined)[]>;
  /**
   * The oldest segment that can be read, sealed so that nothing is appended to it any more; undefined when the spool is
   * empty. @throws when there are segments and none can be read.
   */
  oldest(): Promise<Segment | undefined>;
  /** Forgets a segment whose every payload has been confirmed; where the disk refuses, it is removed later. */
  remove(segment: Segment): Promise<void>;
  depth(): SpoolDepth;
  /** True when an event of any size would be taken now, as far as is known; otherwise why not, without paths. */
  state(): true | string;
  /** Writes what is waiting and gives the directory back. */
  close(): Promise<void>;
}

export interface SpoolOptions {
  dir: string;
  /** Quota for all that lies in the directory, bytes. */
  maxBytes: number;
  log: Logger;
  /** Called with the number of places in which a segment was found damaged. */
  onDamage?: (places: number) => void;
  /** A disk that fails, for tests. */
  fs?: FileSystem;
}

const SEGMENT_BYTES = 8 * 1024 ** 2;
/** What waits for the disk at most; a disk that hangs must not fill the memory. A publisher's full window fits. */
const WAITING_BYTES = 256 * 1024 ** 2;
/** Copies of damaged segments are for people; the quota is for events. */
const DAMAGED_SHARE = 1 / 8;
/** How often a disk that has failed is tried, with a file of its own. */
const PROBE_MS = 1000;
/** A segment that could not be read (a bad sector) is tried again after so long. */
const READ_AGAIN_MS = 30_000;
/** A write that takes so long is a disk that hangs. */
const HANGS_MS = 10_000;

interface Waiting {
  payload: Buffer;
  settle: (problem: SpoolError | undefined) => void;
}

/**
 * Opens the spool in `dir` (made when missing, mode 0700) and finds what an earlier process left there.
 *
 * @throws SpoolError when the directory cannot be had or another process owns it.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { dir, maxBytes, log, fs = fileSystem, onDamage = () => {} } = options;
  const { unlock, directory } = await occupy(dir, log, () =>
    openDirectory({ dir, fs, log, onDamage, damagedBytes: maxBytes * DAMAGED_SHARE }),
  );
  let active: { handle: FileHandle; file: SegmentFile } | undefined;
  const waiting: Waiting[] = [];
  /** Bytes that wait or are being written. */
  let promised = 0;
  /** Set while the disk does not take events: nothing more is tried with it but `probe`. */
  let problem: { code: string; error: SpoolError } | undefined;
  let probing: NodeJS.Timeout | undefined;
  let writingSince: number | undefined;
  let flushing: Promise<void> | undefined;
  let closed = false;
  const unreadable = new WeakMap<SegmentFile, { error: unknown; until: number }>();

  // Writing, sealing and closing take turns: none may find the active segment half changed.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => {});
    return mine;
  };

  const seal = async (): Promise<void> => {
    const sealed = active;
    active = undefined;
    if (!sealed) return;
    await sealed.handle.close().catch(() => {}); // all that was acknowledged is on disk already
    await directory.seal(sealed.file);
  };

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) await inTurn(writeBatch);
    flushing = undefined; // in one go with the last look at `waiting`: who comes later starts the next flush
  };

  const writeBatch = async (): Promise<void> => {
    const batch = nextBatch();
    const block = encodeRecords(batch.map(({ payload }) => payload));
    writingSince = performance.now();
    try {
      // Twice, for a failure may be that of one file: the second time it is a new one.
      await append(block, batch.length).catch(() => append(block, batch.length));
      for (const { settle } of batch) settle(undefined);
      works();
    } catch (error) {
      fails(error as NodeJS.ErrnoException);
      const refused = [...batch, ...waiting.splice(0)];
      promised = block.length;
      for (const { settle } of refused) settle(spoolErrorOf(error));
    }
    writingSince = undefined;
    promised -= block.length;
  };

  const append = async (block: Buffer, events: number): Promise<void> => {
    try {
      if (active && active.file.end >= SEGMENT_BYTES) await seal();
      const { handle, file } = (active ??= await directory.create());
      await writeAt(handle, block, file.end);
      await handle.datasync();
      directory.grew(file, events, block.length);
    } catch (error) {
      // After a failed fdatasync the kernel may have dropped the pages: this file is not written to again
      // (reference reliability A.8, rule 4). What was to go into it is not acknowledged.
      await abandon(block.length);
      throw error;
    }
  };

  /** What is written at once: of the size of a segment, for a segment is read back as a whole. */
  const nextBatch = (): Waiting[] => {
    let bytes = 0;
    let count = 0;
    while (count < waiting.length && bytes < SEGMENT_BYTES)
      bytes += HEADER_BYTES + (waiting[count++]?.payload.length ?? 0);
    return waiting.splice(0, count);
  };

  /** Leaves the active segment as it was before a write of so many bytes, and for good. */
  const abandon = async (bytes: number): Promise<void> => {
    const broken = active;
    active = undefined;
    if (!broken) return;
    const { handle, file } = broken;
    await handle.truncate(file.end).catch(() => directory.charge(file, bytes)); // `read` ends there all the same
    await handle.close().catch(() => {});
    await (file.events > 0 ? directory.seal(file) : directory.discard(file));
  };

  const works = (): void => {
    if (problem) log.info('the spool can be written again');
    problem = undefined;
  };

  const fails = (error: NodeJS.ErrnoException): void => {
    // Once per problem: a disk stays full for hours, and every attempt would say so.
    const code = error.code ?? error.message;
    if (problem?.code !== code) log.error({ err: error }, 'the spool cannot be written: trying again');
    problem = { code, error: spoolErrorOf(error) };
    if (!closed) probing ??= setTimeout(() => void inTurn(probe), PROBE_MS).unref();
  };

  const probe = async (): Promise<void> => {
    probing = undefined;
    if (problem && !closed) await directory.probe().then(works, fails);
  };

  const isFull = (bytes: number): boolean => {
    const taken = directory.depth();
    return taken.bytes + taken.otherBytes + promised + bytes > maxBytes;
  };

  const refusal = ({ length }: Buffer): SpoolError | undefined => {
    const bytes = HEADER_BYTES + length;
    if (closed) return new SpoolError('The spool is closed', 'The service is stopping');
    if (length === 0 || length > MAX_PAYLOAD_BYTES)
      return new SpoolError(`The spool takes events of 1 to ${MAX_PAYLOAD_BYTES} bytes, not of ${length}`);
    if (problem) return new SpoolError(problem.error.message, problem.error.reason);
    if (isFull(bytes)) return new SpoolError(`The spool is full: ${maxBytes} bytes are allowed`, 'The spool is full');
    if (promised + bytes > WAITING_BYTES)
      return new SpoolError(`The disk does not keep up: ${promised} bytes wait for it`, 'The disk does not keep up');
    return undefined;
  };

  /** Puts it in the line for the disk, unless it is refused. */
  const enqueue = (payload: Buffer, settle: Waiting['settle']): void => {
    const refused = refusal(payload);
    if (refused) return settle(refused);
    promised += HEADER_BYTES + payload.length;
    waiting.push({ payload, settle });
  };

  const appendAll = (payloads: readonly Buffer[]): Promise<(SpoolError | undefined)[]> =>
    new Promise((resolve) => {
      const problems: (SpoolError | undefined)[] = [];
      let left = payloads.length;
      if (left === 0) resolve(problems);
      payloads.forEach((payload, place) =>
        enqueue(payload, (refused) => {
          problems[place] = refused;
          left -= 1;
          if (left === 0) resolve(problems);
        }),
      );
      if (waiting.length > 0) flushing ??= flush();
    });

  return {
    async append(payload) {
      const [refused] = await appendAll([payload]);
      if (refused) throw refused;
    },
    appendAll,
    async oldest() {
      let failed: { error: unknown } | undefined;
      for (const file of [...directory.files]) {
        // After the write that is under way, for it may be into this file.
        await inTurn(async () => (file === active?.file ? seal() : undefined));
        const before = unreadable.get(file);
        if (before && performance.now() < before.until) {
          failed ??= before;
          continue;
        }
        try {
          const payloads = await directory.read(file);
          if (payloads) return { name: file.name, payloads };
        } catch (error) {
          failed ??= { error }; // the others do not wait for it
          unreadable.set(file, { error, until: performance.now() + READ_AGAIN_MS });
        }
      }
      if (failed) throw failed.error;
      return undefined;
    },
    async remove({ name }) {
      const file = directory.files.find((each) => each.name === name);
      if (file) await directory.discard(file);
    },
    depth: directory.depth,
    state() {
      if (writingSince !== undefined && performance.now() - writingSince > HANGS_MS)
        return 'The disk of the spool does not answer';
      if (problem) return problem.error.reason;
      return isFull(HEADER_BYTES + limits.eventBytes) ? 'The spool is full' : true;
    },
    async close() {
      closed = true;
      await flushing;
      clearTimeout(probing);
      await inTurn(seal);
      await directory.close();
      await unlock();
    },
  };
}

/** Makes the directory ours, and looks into it. */
async function occupy(
  dir: string,
  log: Logger,
  look: () => Promise<SpoolDirectory>,
): Promise<{ unlock: () => Promise<void>; directory: SpoolDirectory }> {
  try {
    await makeDirectory(dir);
    if (!(await makePrivate(dir))) log.warn({ dir }, 'the spool is in a directory that others may read');
    const unlock = await lockDirectory(dir);
    try {
      return { unlock, directory: await look() };
    } catch (error) {
      await unlock();
      throw error;
    }
  } catch (error) {
    throw spoolErrorOf(error);
  }
}
