import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What stays of a job in its directory when it is over. */
const KEPT = new Set(['job.json', 'job.json.next', 'log']);

/** Where the parts of a job lie in its directory. */
export const placesIn = (dir: string) => ({
  log: join(dir, 'log'),
  context: join(dir, 'context'),
  /** A Dockerfile that came as text. */
  dockerfile: join(dir, 'Dockerfile'),
  storage: join(dir, 'storage'),
  run: join(dir, 'run'),
  temporary: join(dir, 'tmp'),
  image: join(dir, 'image'),
  digest: join(dir, 'digest'),
});

/**
 * Removes everything that a job made except its record and its log: context, layers, containers. A mount that a
 * killed build left inside (storage driver overlay) is taken away first; while one remains nothing is removed, because
 * removing would reach through it.
 *
 * @throws Error when something could not be removed.
 */
export async function clearWorkspace(dir: string): Promise<void> {
  for (const mount of await mountsBelow(dir)) await promisify(execFile)('umount', ['--lazy', '--', mount]);
  const left = await mountsBelow(dir);
  if (left.length > 0) throw new Error(`${left.length} mounts remain below ${dir}`);
  for (const name of await readdir(dir)) {
    if (!KEPT.has(name)) await rm(join(dir, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Innermost first. Spaces and backslashes are octal escapes in mountinfo (proc_pid_mountinfo(5)). */
async function mountsBelow(dir: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return table
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
    .filter((path) => path.startsWith(`${dir}/`))
    .sort((a, b) => b.length - a.length);
}
