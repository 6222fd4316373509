import { connect, type ConfirmChannel } from 'amqplib';
import type { Case, World } from '../case';
import { weir } from '../command-line';

/** Exchanges, bindings and queues vanish, or are not what they should be: F12 to F16, F19, F26. */

const EXCHANGE = 'weir.events';
const QUEUES = ['weir.redis', 'weir.influx', 'weir.mongo', 'weir.history'];
const WORKERS = ['redis-worker', 'influx-worker', 'mongo-worker'] as const;
/** Only clients that wait for ingest: it declares everything before it publishes, as a plain client does not. */
const BY_HTTP = { single: 0.5, batch: 0.5 };

/** Changes the topology as an operator would who is mistaken. */
async function onBroker<T>(world: World, work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const connection = await connect(world.system.direct.amqp);
  connection.on('error', () => {});
  try {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    const done = await work(channel);
    await channel.waitForConfirms(); // closing the connection overtakes what was published
    return done;
  } finally {
    await connection.close().catch(() => {});
  }
}

const messagesIn = (world: World, queue: string) =>
  onBroker(world, async (channel) => (await channel.checkQueue(queue)).messageCount);

async function repairs(world: World): Promise<number> {
  const counts = await Promise.all(WORKERS.map((name) => world.app(name).metric('weir_topology_repairs_total')));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

/** Waits until some worker has found what is missing and has declared it again. */
async function untilRepaired(world: World, before: number): Promise<void> {
  const begun = performance.now();
  await world.until('the audit finds it and declares it again', async () => (await repairs(world)) > before, 60_000);
  world.note(`found and repaired after ${Math.round((performance.now() - begun) / 1000)} s`);
}

/** Every event of the suite lies around the midnight of its day: all that the history has of them, to one worker. */
async function replayAll(world: World, worker: string): Promise<void> {
  const dayMs = 86_400_000;
  const at = (days: number) => new Date(Date.now() + days * dayMs).toISOString();
  await weir(world.system, 'replay', worker, '--from', at(-4), '--to', at(2));
}

export const topologyCases: readonly Case[] = [
  {
    id: 'F12',
    title: 'the exchange deleted while events are published',
    system: 'own',
    async play(world) {
      world.load({ ways: BY_HTTP });
      await world.pause(2_000);
      for (let times = world.thorough ? 5 : 2; times > 0; times -= 1) {
        await onBroker(world, (channel) => channel.deleteExchange(EXCHANGE));
        await world.pause(2_500);
      }
    },
  },
  {
    id: 'F13',
    title: 'no queue bound: events come to rest in weir.unrouted, and go on when they are sent again',
    system: 'own',
    async play(world) {
      const before = await repairs(world);
      await onBroker(world, async (channel) => {
        for (const queue of QUEUES) await channel.unbindQueue(queue, EXCHANGE, '');
      });
      const load = world.load({ ways: BY_HTTP, perSecond: 100 });
      await world.until('events come to rest', async () => (await messagesIn(world, 'weir.unrouted')) > 50);
      await load.stop();
      await untilRepaired(world, before);
      await world.pause(1_000);
      await weir(world.system, 'dead-letters', 'replay', '--worker', 'unrouted', '--yes');
    },
  },
  {
    id: 'F14',
    title: 'one binding removed: found within 30 s, and what was missed is replayed from the history',
    system: 'own',
    async play(world) {
      const before = await repairs(world);
      world.load({ perSecond: 100 });
      await world.pause(1_000);
      await onBroker(world, (channel) => channel.unbindQueue('weir.redis', EXCHANGE, ''));
      await untilRepaired(world, before);
      await replayAll(world, 'redis');
    },
  },
  {
    id: 'F15',
    title: 'the queue of a worker deleted while it consumes; what was in it is replayed from the history',
    system: 'own',
    async play(world) {
      world.load({ perSecond: 400 });
      await world.pause(1_500);
      world.app('redis-worker').suspend(); // so that there is something in it
      await world.pause(1_000);
      await onBroker(world, (channel) => channel.deleteQueue('weir.redis'));
      world.app('redis-worker').resume();
      await world.until('the queue is there again', () => messagesIn(world, 'weir.redis').then(() => true));
      await world.app('redis-worker').ready();
      await replayAll(world, 'redis');
    },
  },
  {
    id: 'F16',
    title: 'a queue declared with other arguments: everybody says which, and nothing is lost until it is put right',
    system: 'own',
    async play(world) {
      const apps = ['ingest', ...WORKERS] as const;
      for (const name of apps) await world.app(name).stop();
      await onBroker(world, async (channel) => {
        await channel.deleteQueue('weir.redis');
        await channel.assertQueue('weir.redis', { durable: true });
      });
      for (const name of apps) world.app(name).start();
      for (const name of apps) {
        await world.until(`${name} names the queue`, async () => {
          const { ready = true, checks = {} } = (await world.app(name).readiness()) ?? {};
          const named = Object.values(checks).some((said) => said !== true && said.includes('weir.redis'));
          return named && (!ready || name === 'ingest'); // which takes events into its spool
        });
      }
      world.load({ ways: BY_HTTP });
      await world.pause(3_000);
      await onBroker(world, (channel) => channel.deleteQueue('weir.redis'));
    },
  },
  {
    id: 'F19',
    title: 'the bounded queue of an optional worker runs over: only it misses events, until they are replayed',
    system: 'own',
    async play(world) {
      const policy = (change: string) => world.system.evaluate(`ok = rabbit_policy:${change}, done.`);
      const small = String.raw`<<"{\"max-length\":200}">>, 0, <<"queues">>, <<"chaos">>`;
      await policy(`parse_set(<<"/">>, <<"small">>, <<"^weir\\.mongo$">>, ${small})`);
      world.app('mongo-worker').suspend();
      const load = world.load({ perSecond: 600 });
      world.watchLag(['redis', 'influx']);
      await world.pause(15_000);
      await load.stop();
      const waits = await messagesIn(world, 'weir.mongo');
      if (waits > 200) throw new Error(`weir.mongo holds ${waits} messages, not 200`);
      await policy(`delete(<<"/">>, <<"small">>, <<"chaos">>)`);
      world.app('mongo-worker').resume();
      await world.app('mongo-worker').ready();
      await world.pause(2_000);
      await replayAll(world, 'mongo');
    },
  },
  {
    id: 'F26',
    title: 'the queue of the dead letters is missing when one has to be parked',
    system: 'own',
    async play(world) {
      world.load();
      await onBroker(world, async (channel) => {
        await channel.deleteQueue('weir.dead.redis');
        channel.publish(EXCHANGE, '', Buffer.from('no event'), { persistent: true });
      });
      const parked = async () => (await messagesIn(world, 'weir.dead.redis')) === 1;
      await world.until('it is made again, and the letter is in it', parked, 60_000);
    },
  },
];
