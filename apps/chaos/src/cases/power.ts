import { execFile } from 'node:child_process';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Case, World } from '../case';

/** The power goes: F49. On a file system of its own, whose disk is a file, so that what never reached it is really gone. */

const run = promisify(execFile);

/** Mounting needs root. */
const needsRoot = (): true | string => process.getuid?.() === 0 || 'it mounts a file system, for which it needs root';

const DISK_MIB = 96;

async function makeDisk(image: string): Promise<void> {
  await run('truncate', ['--size', `${DISK_MIB}M`, image]);
  await run('mkfs.ext4', ['-q', '-F', image]);
}

/** `commit=300`: the kernel writes nothing out by itself while this goes on, so that only what was synced is on the disk. */
async function mounted<T>(image: string, at: string, work: () => Promise<T>): Promise<T> {
  await mkdir(at, { recursive: true });
  await run('mount', ['-o', 'loop,commit=300', image, at]);
  try {
    return await work();
  } finally {
    await run('umount', ['--lazy', at]);
  }
}

async function powerCut(world: World, dir: string, round: number): Promise<void> {
  const ingest = world.app('ingest');
  const [disk, copy] = [join(dir, `disk-${round}.img`), join(dir, `copy-${round}.img`)];
  const [before, after] = [join(dir, `before-${round}`), join(dir, `after-${round}`)];
  await makeDisk(disk);
  await mounted(disk, before, async () => {
    await ingest.stop();
    await world.link('ingest>rabbitmq').refuse();
    ingest.start({ SPOOL_DIR: join(before, 'spool') });
    await world.until('ingest spools', async () => ((await ingest.metric('weir_spool_events')) ?? 0) > 0);
    await world.pause(world.random.between(1_000, 2_500));
    await ingest.kill();
    await run('cp', ['--sparse=always', disk, copy]); // what the disk holds at this moment
  });
  await mounted(copy, after, async () => {
    ingest.start({ SPOOL_DIR: join(after, 'spool') });
    await ingest.ready();
    // No client from here on: this disk goes away, and nothing new may rest on it then.
    await world.link('clients>ingest').refuse();
    await world.link('ingest>rabbitmq').heal();
    await world.until('the spool drains', async () => (await ingest.metric('weir_spool_events')) === 0, 60_000);
    await ingest.stop();
  });
  ingest.start();
  await ingest.ready();
  await world.link('clients>ingest').heal();
}

export const powerCases: readonly Case[] = [
  {
    id: 'F49',
    title: 'the power goes while ingest writes to its spool: what was not synced is gone',
    system: 'shared',
    needs: needsRoot,
    async play(world) {
      const dir = await mkdtemp(join(world.system.dir, 'power-'));
      world.load({ ways: { single: 0.5, batch: 0.5 } });
      for (let round = 0; round < (world.thorough ? 4 : 1); round += 1) await powerCut(world, dir, round);
    },
  },
];
