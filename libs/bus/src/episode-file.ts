import { join } from 'node:path';
import { createFile, readRegular, syncDirectory, writeAt, type FileSystem } from './spool-disk';

/** What is known of a publisher's emergencies, in a file of its spool: it must outlive the process. */
export interface EpisodeFile {
  /** Undefined when there is none. @throws when it cannot be read, or is not what was written. */
  read(): Promise<Episodes | undefined>;
  /** Durable when it resolves; undefined removes it. */
  write(episodes: Episodes | undefined): Promise<void>;
}

/** A time in which events waited in the spool. */
export interface Episode {
  id: string;
  /** Unix ms: when the first one was spooled. */
  since: number;
  /** How many were spooled, as far as is known. */
  events: number;
}

export interface Episodes {
  /** The one that goes on. */
  open?: Episode | undefined;
  /** Those that have ended, Unix ms, and must be told of. */
  ended: (Episode & { until: number })[];
}

const NAME = 'episodes';
const MAX_BYTES = 64 * 1024;

/** @param dir the directory of a spool that is this process's */
export function episodeFile(dir: string, fs: FileSystem): EpisodeFile {
  const [path, fresh] = [join(dir, NAME), `${NAME}.new`];
  const remove = (file: string) =>
    fs.unlink(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  return {
    async read() {
      const bytes = await readRegular(fs, path, MAX_BYTES).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return undefined;
      });
      return bytes && checked(JSON.parse(bytes.toString()));
    },
    async write(episodes) {
      if (!episodes) {
        await remove(path);
        return syncDirectory(fs, dir);
      }
      await remove(join(dir, fresh));
      const handle = await createFile(fs, dir, fresh);
      try {
        await writeAt(handle, Buffer.from(JSON.stringify(episodes)), 0);
        await handle.datasync();
      } finally {
        await handle.close().catch(() => {});
      }
      await fs.rename(join(dir, fresh), path);
      await syncDirectory(fs, dir);
    },
  };
}

function checked(found: unknown): Episodes {
  const { open, ended } = found as Partial<Record<keyof Episodes, unknown>>;
  const isEpisode = (value: unknown, ...times: string[]): boolean => {
    const { id, ...rest } = value as Record<string, unknown>;
    return typeof id === 'string' && ['since', 'events', ...times].every((name) => Number.isSafeInteger(rest[name]));
  };
  const sound = (open === undefined || isEpisode(open)) && Array.isArray(ended);
  if (!sound || !ended.every((each) => isEpisode(each, 'until'))) throw new Error(`${NAME} is not what was written`);
  return found as Episodes;
}
