import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

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
    await syncDirectory(dirname(dir));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    if (code === 'EEXIST') return true;
    throw error;
  }
}

/** Makes a new file, mode 0600, whose name is durable before anything is written to it. */
export async function createFile(dir: string, name: string): Promise<FileHandle> {
  const handle = await open(join(dir, name), 'wx', 0o600);
  try {
    await syncDirectory(dir);
    return handle;
  } catch (error) {
    await handle.close().catch(() => {});
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

export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  await handle.sync().finally(() => handle.close());
}
