import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Folder } from './folder';

/** A log that grows past this is moved aside while its process goes on writing. */
export const LOG_BYTES = 16 * 1024 * 1024;

/** The path of a process's log. */
export function logPath(folder: Folder, name: string): string {
  return join(folder.logs, `${name}.log`);
}

/** Starts a new log for a process and keeps the one before as `<name>.log.1`. Returns the path. */
export function rotateLog(folder: Folder, name: string): string {
  const path = logPath(folder, name);
  if (existsSync(path) && statSync(path).size > 0) renameSync(path, `${path}.1`);
  return path;
}

/** Opens a log for a child to append to; the caller closes its own copy of the descriptor once the child has it. */
export function openLog(path: string): number {
  return openSync(path, 'a', 0o600);
}

/**
 * Keeps a log below its limit: copied aside, then cut to nothing in place, because the child keeps the file open
 * (appending, so that it goes on at the new end). Lines written between the two steps are lost: it is a log.
 */
export function boundLog(path: string, limitBytes = LOG_BYTES): void {
  if (!existsSync(path) || statSync(path).size <= limitBytes) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
}

/** The last lines of a log, for an error report; at most 16 KiB of it is read. */
export function lastLines(path: string, count: number): string[] {
  if (!existsSync(path)) return [];
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const tail = Buffer.alloc(Math.min(size, 16 * 1024));
    readSync(file, tail, 0, tail.length, size - tail.length);
    return tail.toString('utf8').split('\n').filter(Boolean).slice(-count);
  } finally {
    closeSync(file);
  }
}
