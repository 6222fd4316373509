import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createApp, freePort } from '@weir/testing';
import type { Case, World } from '../case';

/** The disk of the spool is full, its files are damaged, it is long, or somebody else wants it: F50 to F53. */

const BY_HTTP = { single: 0.5, batch: 0.5 };
const needsRoot = () =>
  (process.getuid?.() === 0 && existsSync('/dev/loop-control')) || 'mounting a file system of its own takes root';
const spoolOf = (world: World) => join(world.system.dir, 'spool', 'ingest');
/** NaN while ingest does not answer: that is no empty spool. */
const spooled = async (world: World) => (await world.app('ingest').metric('weir_spool_events')) ?? NaN;

/** Stops ingest, does something to its spool, and starts it again. */
async function withoutIngest(world: World, work: () => void): Promise<void> {
  await world.app('ingest').stop();
  work();
  world.app('ingest').start();
}

/** A file system of its own under the spool of ingest. Mounting it again is what an operator does after a repair. */
async function withOwnDisk(world: World, play: (disk: { dir: string; remount(): Promise<void> }) => Promise<void>) {
  const dir = spoolOf(world);
  const image = join(world.system.dir, 'spool.img');
  writeFileSync(image, '');
  truncateSync(image, 32 << 20);
  execFileSync('mkfs.ext4', ['-q', image]);
  const mount = () => execFileSync('mount', ['-o', 'loop', image, dir]);
  const unmount = () => execFileSync('umount', [dir]);
  const remount = () =>
    withoutIngest(world, () => {
      unmount();
      mount();
    });
  await withoutIngest(world, mount);
  try {
    await world.link('ingest>rabbitmq').refuse();
    await play({ dir, remount });
    await world.link('ingest>rabbitmq').heal();
    await world.until('the spool is empty', async () => (await spooled(world)) === 0, 90_000);
  } finally {
    await withoutIngest(world, unmount);
  }
}

export const diskCases: readonly Case[] = [
  {
    id: 'F50',
    title: 'the disk of the spool full, then read-only: 503, what was taken stays, it goes on by itself',
    system: 'own',
    needs: needsRoot,
    play: (world) =>
      withOwnDisk(world, async ({ dir, remount }) => {
        const probe = world.stream('probe');
        const refused = async () => {
          const { status, taken, retryAfterSeconds } = await world.http.post([probe.issue()]);
          if (taken.length > 0) throw new Error('taken');
          return status === 503 && retryAfterSeconds > 0;
        };
        const others = join(dir, 'others');
        const { bavail, bsize } = statfsSync(dir);
        writeFileSync(others, Buffer.alloc(bavail * bsize - (2 << 20)));
        const load = world.load({ ways: BY_HTTP, perSecond: 800 });
        await world.until('ingest refuses with 503 and Retry-After', refused, 60_000);
        await world.until('it says so', async () => (await world.app('ingest').readiness())?.ready === false);
        rmSync(others);
        await world.until('it goes on by itself', async () => (await world.app('ingest').readiness())?.ready, 60_000);
        await world.pause(1_000);
        // What ext4 does by itself after an error of the disk, files open for writing or not.
        execFileSync('mount', ['-o', 'remount,abort', dir]);
        await world.until('ingest refuses again', refused, 60_000);
        await load.stop();
        await remount();
      }),
  },
  {
    id: 'F51',
    title: 'a torn record at the end of the spool, an empty segment, and files that are none of it',
    system: 'own',
    async play(world) {
      const dir = spoolOf(world);
      await world.link('ingest>rabbitmq').refuse();
      const load = world.load({ ways: BY_HTTP });
      await world.until('ingest spools', async () => (await spooled(world)) > 500);
      await load.stop();
      await world.app('ingest').kill();
      const last =
        readdirSync(dir)
          .filter((name) => name.endsWith('.spool'))
          .sort()
          .at(-1) ?? '';
      appendFileSync(join(dir, last), Buffer.from([0, 0, 1, 44, 9, 9, 9, 9, 123, 34]));
      writeFileSync(join(dir, '9999999999999990.spool'), '');
      writeFileSync(join(dir, 'README'), 'not of the spool');
      world.app('ingest').start();
      await world.link('ingest>rabbitmq').heal();
      const damage = async () => ((await world.app('ingest').metric('weir_spool_damaged_total')) ?? 0) > 0;
      await world.until('the damage is told', damage);
    },
  },
  {
    id: 'F52',
    title: 'a long spool drained while events go on',
    system: 'shared',
    async play(world) {
      await world.link('ingest>rabbitmq').refuse();
      const wanted = world.thorough ? 60_000 : 8_000;
      const flood = world.load({ ways: { batch: 1 }, batch: 100, perSecond: 3_000 });
      await world.until(`${wanted} events are spooled`, async () => (await spooled(world)) > wanted, 120_000);
      await flood.stop();
      world.load({ perSecond: 200 });
      await world.link('ingest>rabbitmq').heal();
      const begun = performance.now();
      await world.until('the spool is empty', async () => (await spooled(world)) === 0, 120_000);
      world.note(`${wanted} events drained in ${Math.round(performance.now() - begun)} ms`);
    },
  },
  {
    id: 'F53',
    title: 'a second ingest on the spool of the first is refused, and says whose it is',
    system: 'shared',
    async play(world) {
      world.load();
      const running = readFileSync(`/proc/${world.app('ingest').pid}/environ`, 'utf8').split('\0');
      const env = Object.fromEntries(running.filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])); // prettier-ignore
      const adminPort = await freePort();
      const second = createApp({
        name: 'second ingest',
        args: [join(__dirname, '../../../ingest/dist/main.js')],
        env: { ...env, ADMIN_PORT: String(adminPort), INGEST_PORT: String(await freePort()) },
        adminPort,
        logFile: join(world.system.dir, 'second-ingest.log'),
        onRepair: () => {},
      });
      second.start();
      const said = () => readFileSync(join(world.system.dir, 'second-ingest.log'), 'utf8');
      try {
        await world.until('it says who has the spool', () =>
          said().includes(`in use by process ${world.app('ingest').pid}`),
        );
        await world.pause(1_000);
      } finally {
        await second.kill();
      }
    },
  },
];
