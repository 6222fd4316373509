import type { Case, World } from '../case';

/** The broker goes, stops, falls silent: F01 to F18. */

async function brokerSilent(world: World, seconds: number): Promise<void> {
  world.load();
  await world.pause(2_000);
  world.servers.rabbitmq.suspend();
  await world.pause(seconds * 1000);
  world.servers.rabbitmq.resume();
  await world.pause(2_000);
}

async function publishersBlackHoled(world: World, seconds: number): Promise<void> {
  world.load();
  await world.pause(2_000);
  world.link('ingest>rabbitmq').blackHole();
  world.link('publisher>rabbitmq').blackHole();
  const before = (await world.app('ingest').metric('weir_spool_events')) ?? 0;
  await world.until(
    'ingest spools what the broker does not confirm',
    async () => ((await world.app('ingest').metric('weir_spool_events')) ?? 0) > before,
    15_000,
  );
  await world.pause(seconds * 1000);
}

async function connectionsCut(world: World, seconds: number): Promise<void> {
  const descriptors = () => world.system.apps().map((app) => app.resources()?.descriptors ?? 0);
  world.load();
  await world.pause(1_000);
  const before = descriptors();
  for (let left = seconds; left > 0; left -= 1) {
    world.linksTo('rabbitmq').cut();
    await world.pause(1_000);
  }
  await Promise.all(world.system.apps().map((app) => app.ready()));
  const more = descriptors().map((now, at) => now - (before[at] ?? 0));
  world.note(`descriptors: ${more.map((count) => (count < 0 ? count : `+${count}`)).join(', ')}`);
  // Clients of ingest keep up to 64 connections open.
  const leaks = world.system.apps().filter(({ name }, at) => (more[at] ?? 0) > (name === 'ingest' ? 84 : 20));
  if (leaks.length > 0) throw new Error(`descriptors are left over in ${leaks.map(({ name }) => name).join(', ')}`);
}

export const brokerCases: readonly Case[] = [
  {
    id: 'F02',
    title: 'broker killed with -9 while events are published',
    system: 'shared',
    async play(world) {
      world.load();
      await world.pause(world.random.between(1_500, 2_500));
      await world.servers.rabbitmq.kill();
      await world.pause(world.random.between(500, 2_000));
      await world.servers.rabbitmq.start();
      await world.pause(2_000);
    },
  },
  {
    id: 'F03',
    title: 'broker application stopped by its operator (320, no error event) and started again',
    system: 'shared',
    async play(world) {
      world.load();
      await world.pause(2_000);
      await world.system.evaluate('rabbit:stop().');
      try {
        await world.pause(2_000);
      } finally {
        await world.system.evaluate('rabbit:start().');
      }
      await world.pause(2_000);
    },
  },
  {
    id: 'F04',
    title: 'broker frozen for 5 s',
    system: 'shared',
    play: (world) => brokerSilent(world, 5),
  },
  {
    id: 'F04-60s',
    title: 'broker frozen for 60 s',
    system: 'shared',
    long: true,
    play: (world) => brokerSilent(world, 60),
  },
  {
    id: 'F05',
    title: 'what publishers send to the broker vanishes, and nobody is told',
    system: 'shared',
    play: (world) => publishersBlackHoled(world, 2),
  },
  {
    id: 'F05-60s',
    title: 'what publishers send to the broker vanishes for a minute',
    system: 'shared',
    long: true,
    play: (world) => publishersBlackHoled(world, 60),
  },
  {
    id: 'F06',
    title: 'every connection to the broker reset once a second',
    system: 'shared',
    play: (world) => connectionsCut(world, 8),
  },
  {
    id: 'F06-120s',
    title: 'every connection to the broker reset once a second for 2 min',
    system: 'shared',
    long: true,
    play: (world) => connectionsCut(world, 120),
  },
];
