import { readFile } from 'node:fs/promises';
import { command } from './command';

/** Takes away what daemons that were killed have left mounted in a folder, so that it can be removed. */
export async function unmountUnder(dir: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8').catch(() => '')).split('\n');
  const places = mounts.map((line) => line.split(' ')[1] ?? '').filter((place) => place.startsWith(`${dir}/`));
  // The innermost first.
  for (const place of places.reverse()) await command('umount', ['--lazy', place]).catch(() => {});
}
