import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Owner {
  pid: number;
  /** When that process started, in the kernel's ticks since boot: a number that is used again is not the same owner. */
  started: string;
}

/**
 * Makes this process the only owner of a spool directory; resolves with the way to give it back. A lock whose
 * process is gone (killed, machine restarted) is taken over.
 *
 * @throws Error naming the process that holds it.
 */
export async function lockDirectory(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'lock');
  const mine = join(dir, `lock.${process.pid}.${Math.random().toString(36).slice(2)}`);
  const self: Owner = { pid: process.pid, started: await startOf(process.pid) };
  await writeFile(mine, JSON.stringify(self), { mode: 0o600 });
  try {
    for (;;) {
      try {
        await link(mine, path); // atomic, and fails where there is a lock
        return () => unlink(path).catch(() => {});
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const owner = await readOwner(path);
      if (owner && (await startOf(owner.pid)) === owner.started) {
        throw new Error(`The spool ${dir} is in use by process ${owner.pid}: give each process its own SPOOL_DIR`);
      }
      await unlink(path).catch(() => {});
    }
  } finally {
    await unlink(mine).catch(() => {});
  }
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner;
  } catch {
    return undefined; // unreadable: nobody's
  }
}

/** Empty for a process that is gone; a constant where there is no /proc and only the number can be compared. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  if (process.platform === 'linux') return 'gone';
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return 'gone';
  }
}
