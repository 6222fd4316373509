import { link, readFile, readlink, stat, unlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SpoolError } from './spool-error';

interface Owner {
  pid: number;
  /** When that process started, in the kernel's ticks since boot: a number that is used again is not the same owner. */
  started: string;
  /** Boot and process namespace: elsewhere (another container, machine) the same number is another process. */
  where: string;
  /** Name of the socket on which the owner listens for as long as it lives; none where the disk holds no sockets. */
  socket?: string;
}

/** How long whoever has taken a dead lock over waits to see whether another did the same at that moment. */
const LOOK_AGAIN_MS = 100;

/**
 * Makes this process the only owner of a spool directory; resolves with the way to give it back. A lock whose
 * process is gone (killed, machine restarted) is taken over.
 *
 * @throws SpoolError naming the process that holds it.
 */
export async function lockDirectory(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'lock');
  const mine = join(dir, `lock.${process.pid}.${Math.random().toString(36).slice(2)}`);
  const closeDoor = await openDoor(`${mine}.sock`);
  const self: Owner = { pid: process.pid, started: await startOf(process.pid), where: await whereAmI() };
  if (closeDoor) self.socket = basename(`${mine}.sock`);
  try {
    await writeFile(mine, JSON.stringify(self), { mode: 0o600, flag: 'wx' });
    await takeLock(dir, path, mine, self.where);
  } catch (error) {
    closeDoor?.();
    throw error;
  } finally {
    await unlink(mine).catch(() => {});
  }
  let held = true;
  return async () => {
    if (!held) return; // by now it may be somebody else's
    held = false;
    await unlink(path).catch(() => {});
    closeDoor?.();
  };
}

async function takeLock(dir: string, path: string, mine: string, where: string): Promise<void> {
  for (let tookOver = false; ;) {
    try {
      await link(mine, path); // atomic, and fails where there is a lock
      if (!tookOver) return;
      await pause(LOOK_AGAIN_MS);
      if (await isSameFile(mine, path)) return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = await readOwner(path);
    if (owner && (await isAlive(dir, owner, where))) {
      throw new SpoolError(
        `The spool ${dir} is in use by process ${owner.pid}: give each process its own SPOOL_DIR`,
        'The spool is in use by another process',
      );
    }
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error; // another one has taken it over at this moment
    });
    if (owner?.socket) await unlink(join(dir, owner.socket)).catch(() => {});
    tookOver = true;
  }
}

async function isAlive(dir: string, owner: Owner, where: string): Promise<boolean> {
  if (owner.where === where) return (await startOf(owner.pid)) === owner.started;
  return owner.socket !== undefined && (await answers(join(dir, owner.socket)));
}

/** Listens on a socket, which the kernel closes with the process; resolves with the way to close it before. */
async function openDoor(path: string): Promise<(() => void) | undefined> {
  const server = createServer((visitor) => visitor.destroy()).unref();
  return new Promise((resolve) => {
    server.on('error', () => resolve(undefined)); // no sockets on this disk, or too long a path
    server.listen(path, () => resolve(() => void server.close()));
  });
}

/** Whether some process listens on the socket, in whichever container. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(path, 'utf8')) as Owner;
    // Whoever wrote it: a name in this directory and no other.
    return { ...owner, ...(owner.socket && { socket: basename(String(owner.socket)) }) };
  } catch {
    return undefined; // unreadable: nobody's
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return a !== undefined && a.ino === b?.ino;
}

/** Empty where there is no /proc. */
async function whereAmI(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${boot.trim()} ${await readlink('/proc/self/ns/pid').catch(() => '')}`.trim();
}

/** `gone` for a process that is gone; a constant where there is no /proc and only the number can be compared. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text !== undefined) return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  if (process.platform === 'linux') return 'gone';
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return 'gone';
  }
}
