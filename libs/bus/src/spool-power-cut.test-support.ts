import { link, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileSystem, type FileSystem } from './spool-disk';

/** Numbers in [0, 1) that a seed decides (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Where the content of a file lies, whatever becomes of its name, and how much of it fdatasync has promised. */
interface Inode {
  stash: string;
  synced: number;
}

type Naming = (names: Map<string, Inode>) => void;

/** A disk that knows what would be left after a power cut. Below it the real one, which forgets nothing. */
export interface ForgetfulDisk {
  fs: FileSystem;
  /** Called before each operation: the moments at which the power may go. */
  onOperation(watch: () => void): void;
  /**
   * Takes note of what is durable now; the function puts it into a new directory: what fdatasync has promised of each
   * file and perhaps some of the rest, torn, zeroed or garbled; names as they were at the last fsync of the directory
   * and perhaps some changes since, in their order.
   */
  cut(random: () => number): (into: string) => Promise<void>;
}

/** @param lies makes fdatasync promise nothing, as disks do whose cache has no battery. */
export async function forgetfulDisk(dir: string, stashDir: string, { lies = false } = {}): Promise<ForgetfulDisk> {
  await mkdir(stashDir, { recursive: true });
  const durable = new Map<string, Inode>();
  const names = new Map<string, Inode>();
  let pending: Naming[] = [];
  let watch = () => {};
  let serial = 0;

  const stashed = async (path: string, synced: number): Promise<Inode> => {
    const stash = join(stashDir, String((serial += 1)));
    await link(path, stash);
    return { stash, synced };
  };
  const rename = (change: Naming): void => {
    change(names);
    pending.push(change);
  };
  for (const name of (await readdir(dir)).filter((each) => each.endsWith('.spool'))) {
    const inode = await stashed(join(dir, name), (await lstat(join(dir, name))).size);
    names.set(name, inode);
    durable.set(name, inode);
  }

  type Handle = Awaited<ReturnType<FileSystem['open']>>;
  const watched = (handle: Handle, replace: Partial<Record<string, () => Promise<void>>>): Handle =>
    new Proxy(handle, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        watch();
        return replace[String(name)] ?? (value as () => unknown).bind(target);
      },
    });

  const open = async (...args: Parameters<FileSystem['open']>): Promise<Handle> => {
    watch();
    const handle = await fileSystem.open(...args);
    if (args[0] === dir) {
      const sync = async () => {
        const upTo = pending;
        pending = [];
        for (const change of upTo) change(durable);
      };
      return watched(handle, { sync });
    }
    if (args[1] !== 'wx') return handle;
    const inode = await stashed(String(args[0]), 0);
    rename((map) => map.set(basename(String(args[0])), inode));
    const datasync = async () => {
      const { size } = await handle.stat();
      await new Promise(setImmediate);
      if (!lies) inode.synced = Math.max(inode.synced, size);
    };
    return watched(handle, { datasync });
  };

  return {
    fs: {
      open,
      link: fileSystem.link,
      async unlink(path) {
        watch();
        await fileSystem.unlink(path);
        rename((map) => map.delete(basename(String(path))));
      },
      async rename(from, to) {
        watch();
        await fileSystem.rename(from, to);
        rename((map) => {
          const inode = map.get(basename(String(from)));
          map.delete(basename(String(from)));
          if (inode) map.set(basename(String(to)), inode);
        });
      },
    },
    onOperation: (next) => void (watch = next),
    cut(random) {
      const left = new Map(durable);
      for (const change of pending.slice(0, Math.floor(random() * (pending.length + 1)))) change(left);
      const files = [...left].map(([name, { stash, synced }]) => ({ name, stash, synced }));
      return async (into) => {
        await mkdir(into, { mode: 0o700 });
        for (const { name, stash, synced } of files) {
          const content = await readFile(stash);
          const rest = Buffer.from(
            content.subarray(synced, synced + Math.floor(random() * (content.length - synced + 1))),
          );
          const spoilt = random();
          if (spoilt < 0.3) rest.fill(0);
          else if (spoilt < 0.6) for (let at = 0; at < rest.length; at += 1) rest[at] = Math.floor(random() * 256);
          await writeFile(join(into, name), Buffer.concat([content.subarray(0, synced), rest]));
        }
      };
    },
  };
}
