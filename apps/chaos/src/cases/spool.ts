import { join } from 'node:path';
import type { Case } from '../case';

/** What the emergency API has said 202 to is on its disk: F48 to F53. */

/** See its first lines; Node takes it by NODE_OPTIONS. */
const SLOW_DISK = join(__dirname, '../../src/preload/slow-disk.js');

export const spoolCases: readonly Case[] = [
  {
    id: 'F48',
    title: 'ingest killed with -9 between write, sync and reply, without a broker and on a slow disk',
    system: 'shared',
    async play(world) {
      const ingest = world.app('ingest');
      await world.link('ingest>rabbitmq').refuse();
      await ingest.stop();
      const slow = { NODE_OPTIONS: `--require ${SLOW_DISK}`, SLOW_DISK_MS: '150' };
      ingest.start(slow);
      world.load({ perSecond: 400, ways: { single: 0.5, batch: 0.5 } });
      for (let times = world.thorough ? 12 : 4; times > 0; times -= 1) {
        const spooled = async () => ((await ingest.metric('weir_spool_events')) ?? 0) > 0;
        await world.until('ingest spools', spooled);
        await world.pause(world.random.between(500, 1_500));
        await ingest.kill();
        ingest.start(slow);
      }
      await world.until('ingest spools', async () => ((await ingest.metric('weir_spool_events')) ?? 0) > 0);
      await ingest.stop();
      ingest.start();
    },
  },
];
