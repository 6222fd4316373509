import { constants } from 'node:fs';
import { chmod, link, mkdir, open, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What the spool asks of the operating system while it runs; a test puts a disk that fails in its place. */
export interface FileSystem {
  open: typeof open;
  unlink: typeof unlink;
  rename: typeof rename;
  link: typeof link;
}

export const fileSystem: FileSystem = { open, unlink, rename, link };

/**
 * Makes a directory, mode 0700, and those above it that are missing; their names are durable. Not by `mkdir` with
 * `recursive`: where the kernel says ENOENT though the parent is there (below /proc), Node.js 20 tries for ever, on a
 * thread that keeps the process from ending.
 */
export async function makeDirectory(dir: string): Promise<void> {
  const made = await tryDirectory(dir);
  if (made || dirname(dir) === dir) return;
  await makeDirectory(dirname(dir));
  if (!(await tryDirectory(dir))) throw new Error(`The directory ${dir} cannot be made: its parent takes none`);
}

/** False where the parent is missing. */
async function tryDirectory(dir: string): Promise<boolean> {
  try {
    await mkdir(dir, { mode: 0o700 });
    await syncDirectory(fileSystem, dirname(dir));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    if (code === 'EEXIST') return true;
    throw error;
  }
}

/** Takes a directory that was there before away from everybody else; false where it is somebody else's. */
export async function makePrivate(dir: string): Promise<boolean> {
  if (((await stat(dir)).mode & 0o077) === 0) return true;
  return chmod(dir, 0o700).then(
    () => true,
    () => false,
  );
}

/**
 * Makes a new file, mode 0600, whose name is durable before anything is written to it. What is there already, be it a
 * symbolic link, is an error (O_EXCL).
 */
export async function createFile(fs: FileSystem, dir: string, name: string): Promise<FileHandle> {
  const handle = await fs.open(join(dir, name), 'wx', 0o600);
  try {
    await syncDirectory(fs, dir);
    return handle;
  } catch (error) {
    await handle.close().catch(() => {});
    await fs.unlink(join(dir, name)).catch(() => {});
    throw error;
  }
}

/** Writes all of `block` at `position`; a short write (disk full) continues, until it fails. */
export async function writeAt(handle: FileHandle, block: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < block.length) {
    written += (await handle.write(block, written, block.length - written, position + written)).bytesWritten;
  }
}

/** The first `maxBytes` of a regular file; a symbolic link (ELOOP) or anything else that is no file is an error. */
export async function readRegular(fs: FileSystem, path: string, maxBytes: number): Promise<Buffer> {
  // O_NONBLOCK: opening a pipe that somebody has put there would wait for its writer.
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error(`${path} is no file`);
    const content = Buffer.allocUnsafe(Math.min(found.size, maxBytes));
    let length = 0;
    while (length < content.length) {
      const { bytesRead } = await handle.read(content, length, content.length - length, length);
      if (bytesRead === 0) break; // it has become shorter meanwhile
      length += bytesRead;
    }
    return content.subarray(0, length);
  } finally {
    await handle.close().catch(() => {});
  }
}

export async function syncDirectory(fs: FileSystem, dir: string): Promise<void> {
  const handle = await fs.open(dir, 'r');
  await handle.sync().finally(() => handle.close().catch(() => {}));
}
