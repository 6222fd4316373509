import type { Case, World } from '../case';
import { messagesIn } from '../queues';

/** The broker is there and takes nothing: alarms and full queues. F09 to F11, F18. */

const MEMORY = {
  raise: 'vm_memory_monitor:set_vm_memory_high_watermark(0.0001).',
  clear: 'vm_memory_monitor:set_vm_memory_high_watermark(0.4).',
};
const DISK = {
  raise: 'rabbit_disk_monitor:set_disk_free_limit(1000000000000000).',
  clear: 'rabbit_disk_monitor:set_disk_free_limit(50000000).',
};

/** Raises an alarm, has events spooled meanwhile, and clears it whatever happens. */
async function during(world: World, alarm: typeof MEMORY, meanwhile: () => Promise<void>): Promise<void> {
  const ingest = world.app('ingest');
  world.load();
  await world.pause(1_500);
  await world.system.evaluate(alarm.raise);
  try {
    await world.until('ingest spools', async () => ((await ingest.metric('weir_spool_events')) ?? 0) > 0, 20_000);
    await meanwhile();
  } finally {
    await world.system.evaluate(alarm.clear);
  }
}

/** What was in the queues when publishers were blocked is consumed all the same. */
async function consumersGoOn(world: World): Promise<void> {
  const rssBefore = world.app('ingest').resources()?.rssBytes ?? 0;
  await world.until('ingest tells that the broker blocks it', async () => {
    const { checks = {} } = (await world.app('ingest').readiness()) ?? {};
    return Object.values(checks).some((said) => typeof said === 'string' && said.includes('block'));
  });
  await world.until('the queues run dry', async () => (await messagesIn(world.system.direct.amqp)) === 0);
  await world.pause(world.thorough ? 20_000 : 3_000);
  const grown = (world.app('ingest').resources()?.rssBytes ?? 0) - rssBefore;
  world.note(`ingest grew by ${Math.round(grown / 1024 ** 2)} MiB`);
  if (grown > 150 * 1024 ** 2) throw new Error('ingest keeps what it should spool');
}

export const alarmCases: readonly Case[] = [
  {
    id: 'F09',
    title: 'memory alarm: the broker blocks every publisher',
    system: 'shared',
    play: (world) => during(world, MEMORY, () => consumersGoOn(world)),
  },
  {
    id: 'F10',
    title: 'disk alarm: the broker blocks every publisher',
    system: 'shared',
    play: (world) => during(world, DISK, () => consumersGoOn(world)),
  },
  {
    id: 'F11',
    title: 'ingest asked to stop while the broker blocks it',
    system: 'shared',
    play: (world) =>
      during(world, MEMORY, async () => {
        const code = await world.app('ingest').stop();
        if (code !== 0) throw new Error(`ingest ended with exit code ${code} after SIGTERM`);
        world.app('ingest').start();
        await world.pause(2_000);
      }),
  },
  {
    id: 'F18',
    title: 'the queue of one worker is full and refuses, the others take the same events',
    system: 'shared',
    async play(world) {
      world.load({ perSecond: 500 });
      world.app('influx-worker').suspend();
      const policy = (change: string) => world.system.evaluate(`ok = rabbit_policy:${change}, done.`);
      const full = String.raw`<<"{\"max-length\":200}">>, 0, <<"queues">>, <<"chaos">>`;
      await policy(`parse_set(<<"/">>, <<"full">>, <<"^weir\\.influx$">>, ${full})`);
      try {
        const ingest = world.app('ingest');
        await world.until('ingest spools', async () => ((await ingest.metric('weir_spool_events')) ?? 0) > 100, 60_000);
        await world.pause(2_000);
      } finally {
        await policy(`delete(<<"/">>, <<"full">>, <<"chaos">>)`);
      }
      world.app('influx-worker').resume();
    },
  },
];
