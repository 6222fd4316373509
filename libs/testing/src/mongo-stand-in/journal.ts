/**
 * The stand-in's memory on disk: one append-only file of records. A record is its length (u32), the CRC-32 of its
 * payload (u32) and the payload: one letter for the change, the namespace, a zero byte, a BSON document.
 *
 * A change is in the page cache before it is acknowledged, so it survives `kill -9`; it is on the disk when the write
 * concern asks for that (`sync`). A torn last record, the trace of a crash in the middle of a write, is cut off.
 */
import {
  closeSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { CommandError } from './errors';

/** p put a document, d delete one, c create a collection, r drop one, i create an index, x drop one. */
export type Change = 'p' | 'd' | 'c' | 'r' | 'i' | 'x';
export interface Entry {
  readonly change: Change;
  readonly namespace: string;
  readonly document: Buffer;
}

export interface Journal {
  append(entry: Entry): void;
  /** Writes what was appended, before the command is answered. Throws when the disk refuses, and ever after. */
  flush(): void;
  sync(): Promise<void>;
  close(): void;
}

/** A stand-in without a directory keeps nothing. */
export const noJournal: Journal = { append() {}, flush() {}, sync: () => Promise.resolve(), close() {} };

const fileName = 'stand-in.journal';
const recordHead = 8;
const readBytes = 8 * 1024 * 1024;

/** Every whole record of the journal in `dir`, oldest first; cuts off what comes after the last whole one. */
export function* readJournal(dir: string): Generator<Entry> {
  mkdirSync(dir, { recursive: true });
  const file = openSync(join(dir, fileName), 'a+');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let good = 0;
    const chunk = Buffer.alloc(readBytes);
    for (let position = 0; ;) {
      const read = readSync(file, chunk, 0, chunk.length, position);
      if (read === 0) break;
      position += read;
      rest = Buffer.concat([rest, chunk.subarray(0, read)]);
      let at = 0;
      while (rest.length - at >= recordHead) {
        const end = at + recordHead + rest.readUInt32LE(at);
        if (end > rest.length) break;
        const payload = rest.subarray(at + recordHead, end);
        if (crc32(payload) !== rest.readUInt32LE(at + 4)) return ftruncateSync(file, good);
        const nameEnd = payload.indexOf(0);
        yield {
          change: payload.toString('latin1', 0, 1) as Change,
          namespace: payload.toString('utf8', 1, nameEnd),
          document: payload.subarray(nameEnd + 1),
        };
        good += end - at;
        at = end;
      }
      rest = rest.subarray(at);
    }
    if (rest.length > 0) ftruncateSync(file, good);
  } finally {
    closeSync(file);
  }
}

/** Writes a journal anew from the given entries, in one step: a crash leaves the old one or the new one. */
export function rewriteJournal(dir: string, entries: Iterable<Entry>): void {
  const fresh = join(dir, `${fileName}.new`);
  const file = openSync(fresh, 'w');
  let parts: Buffer[] = [];
  const writeParts = () => {
    writeAll(file, Buffer.concat(parts));
    parts = [];
  };
  for (const entry of entries) if (parts.push(recordOf(entry)) >= 1000) writeParts();
  writeParts();
  fsyncSync(file);
  closeSync(file);
  renameSync(fresh, join(dir, fileName));
}

/** Opens the journal in `dir` for appending. */
export function openJournal(dir: string): Journal {
  const file = openSync(join(dir, fileName), 'a');
  let waiting: Buffer[] = [];
  let failure: CommandError | undefined;
  let syncing: Promise<void> | undefined;
  let nextSync: Promise<void> | undefined;

  const fail = (error: unknown): never => {
    // What is in memory and what is on disk differ from here on: nothing more is accepted until a restart reads the disk.
    failure ??= new CommandError(
      14031,
      `the stand-in cannot write to ${dir}: ${String(error)}; free the disk and restart it`,
    );
    throw failure;
  };
  const syncNow = () => promisify(fdatasync)(file).catch(fail);

  return {
    append: (entry) => void waiting.push(recordOf(entry)),
    flush() {
      if (failure) throw failure;
      if (waiting.length === 0) return;
      const records = Buffer.concat(waiting);
      waiting = [];
      try {
        writeAll(file, records);
      } catch (error) {
        fail(error);
      }
    },
    /** One fdatasync at a time; whoever comes while one runs shares the next. */
    sync() {
      if (!syncing) return (syncing = syncNow().finally(() => (syncing = undefined)));
      return (nextSync ??= syncing
        .catch(() => undefined)
        .then(() => {
          nextSync = undefined;
          return (syncing = syncNow().finally(() => (syncing = undefined)));
        }));
    },
    close: () => closeSync(file),
  };
}

function recordOf({ change, namespace, document }: Entry): Buffer {
  const name = Buffer.from(`${change}${namespace}\0`);
  const record = Buffer.alloc(recordHead + name.length + document.length);
  name.copy(record, recordHead);
  document.copy(record, recordHead + name.length);
  record.writeUInt32LE(name.length + document.length, 0);
  record.writeUInt32LE(crc32(record.subarray(recordHead)), 4);
  return record;
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at);
}
