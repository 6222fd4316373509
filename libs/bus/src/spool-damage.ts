import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { FileSystem } from './spool-disk';

const DAMAGED = '.damaged';

/** What else lies in a spool's directory, bytes. */
export interface Others {
  /** All of it, copies of damaged segments and what does not belong there. */
  bytes: number;
  damagedBytes: number;
}

/**
 * Measures what else lies in the directory: the quota is for all of it. The lock does not count, nor does a copy that is
 * still the same file as its segment.
 */
export async function othersIn(dir: string, isSegment: (name: string) => boolean): Promise<Others> {
  const others = { bytes: 0, damagedBytes: 0 };
  for (const name of await readdir(dir)) {
    if (isSegment(name) || name === 'lock' || name.startsWith('lock.')) continue;
    const found = await lstat(join(dir, name)).catch(() => undefined);
    if (!found?.isFile() || found.nlink > 1) continue;
    others.bytes += found.size;
    if (name.endsWith(DAMAGED)) others.damagedBytes += found.size;
  }
  return others;
}

/**
 * Keeps a damaged segment under a second name for whoever wants to look; the sound records in it are sent as usual, and
 * its first name goes when they are confirmed. A torn last record is what a crash leaves and was not acknowledged; it is
 * kept all the same, since nobody can tell from outside.
 */
export async function keepDamaged(segment: {
  dir: string;
  name: string;
  fs: FileSystem;
  log: Logger;
  /** What such copies may take, bytes. */
  room: number;
  /** Acknowledged records that are missing, as far as that is known. */
  lost: number;
}): Promise<void> {
  const { dir, name, fs, log, room } = segment;
  const lost = Math.max(0, segment.lost);
  const kept = `${name}${DAMAGED}`;
  const { size } = await lstat(join(dir, name)).catch(() => ({ size: 0 }));
  if (size > room) {
    const what =
      'a part of the spool is damaged; no copy is kept, for there are too many: look at them and delete them';
    return log.error({ segment: name, lost }, what);
  }
  try {
    await fs.link(join(dir, name), join(dir, kept));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      return log.error(
        { err: error, segment: name, lost },
        'a part of the spool is damaged, and no copy could be kept',
      );
  }
  log.error({ segment: name, lost, kept }, 'a part of the spool is damaged');
}
