import type { ClusterNode, RabbitmqCluster } from '@weir/testing';
import type { Case, World } from '../case';

/**
 * Three brokers in one cluster, quorum queues with a member on each: F58 and F59. The four shapes of partitions are those
 * of Jepsen's RabbitMQ suite, as far as three nodes have them.
 */

const WORKER_QUEUES = ['weir.redis', 'weir.influx', 'weir.mongo'];

function clusterOf({ system }: World): RabbitmqCluster {
  if (!system.cluster) throw new Error('this case is to be played on a cluster');
  return system.cluster;
}

const othersThan = (cluster: RabbitmqCluster, node: ClusterNode) => cluster.nodes.filter((each) => each !== node);

/** Every queue has three members before anything is broken; otherwise nothing here would be shown. */
async function beginWithLoad(world: World): Promise<RabbitmqCluster> {
  const cluster = clusterOf(world);
  for (const queue of [...WORKER_QUEUES, 'weir.history']) {
    const members = await cluster.membersOf(queue);
    if (members.length !== 3) throw new Error(`${queue} has ${members.length} members, not 3`);
  }
  world.load();
  await world.pause(2_000);
  return cluster;
}

/** Breaks something, and sees that a majority goes on: what is confirmed meanwhile reaches every store meanwhile. */
async function majorityGoesOn(world: World, timeoutMs = 120_000): Promise<void> {
  const begun = performance.now();
  const stream = world.stream(`meanwhile-${Math.round(begun)}`);
  const arrived = async (): Promise<boolean> => {
    const event = stream.issue();
    if (await world.amqp.publish(event)) stream.acknowledge(event);
    if (stream.acknowledged === 0) return false;
    const [points, documents] = await Promise.all([
      world.stores.influx.count(stream.source),
      world.stores.mongo.count(stream.source),
    ]);
    return points > 0 && documents > 0;
  };
  await world.until('what the majority confirms reaches the stores', arrived, timeoutMs);
  world.note(`the majority went on after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

/** A partition of 30 s in which one side has a majority. */
async function partitioned(
  world: World,
  cut: (cluster: RabbitmqCluster) => Promise<void> | void,
  { goesOn = true } = {},
): Promise<void> {
  const cluster = await beginWithLoad(world);
  const begun = performance.now();
  await cut(cluster);
  if (goesOn) await majorityGoesOn(world);
  await world.pause(Math.max(0, 30_000 - (performance.now() - begun)));
  const states = await Promise.all(
    cluster.nodes.map(async ({ node, evaluate }) => `${node} ${await evaluate('rabbit:is_running().')}`),
  );
  world.log(`running: ${states.join(', ')}`);
  cluster.heal();
  world.system.mended();
  await world.pause(5_000);
}

const isolate = (world: World, cluster: RabbitmqCluster, node: ClusterNode): void => {
  world.log(`${node.node} is alone`);
  cluster.partition([node], othersThan(cluster, node));
};

export const clusterCases: readonly Case[] = [
  {
    id: 'F58',
    title: 'three brokers of one cluster restarted one after the other, as for an upgrade',
    system: 'own',
    cluster: true,
    long: true,
    async play(world) {
      const cluster = await beginWithLoad(world);
      for (const node of cluster.nodes) {
        world.log(`${node.node} restarts`);
        await cluster.whole();
        await node.stop();
        await majorityGoesOn(world);
        await node.start();
      }
      world.system.mended();
      await cluster.whole();
      await world.pause(2_000);
    },
  },
  {
    id: 'F59-node',
    title: 'a random node of three parted from the others for 30 s',
    system: 'own',
    cluster: true,
    long: true,
    play: (world) => partitioned(world, (cluster) => isolate(world, cluster, world.random.pick(cluster.nodes))),
  },
  {
    id: 'F59-leader',
    title: 'the leader of weir.redis parted from the others for 30 s',
    system: 'own',
    cluster: true,
    long: true,
    play: (world) =>
      partitioned(world, async (cluster) => isolate(world, cluster, await cluster.leaderOf('weir.redis'))),
  },
  {
    id: 'F59-halves',
    title: 'the cluster cut into two and one by a firewall that rejects, for 30 s',
    system: 'own',
    cluster: true,
    long: true,
    play: (world) =>
      partitioned(world, (cluster) => {
        const [one, ...two] = world.random.shuffled(cluster.nodes);
        if (one) cluster.reject([one], two);
      }),
  },
  {
    id: 'F59-ring',
    title: 'every node hears only one of the two others for 30 s (majorities ring)',
    system: 'own',
    cluster: true,
    long: true,
    play: (world) =>
      partitioned(
        world,
        ({ nodes, silence }) => {
          for (const [at, node] of nodes.entries()) silence(node, nodes[(at + 1) % nodes.length] ?? node);
        },
        { goesOn: false },
      ),
  },
  {
    id: 'F59-bridge',
    title: 'two nodes parted for 30 s that both see the third',
    system: 'own',
    cluster: true,
    long: true,
    play: (world) =>
      partitioned(
        world,
        (cluster) => {
          const [one, other] = world.random.shuffled(cluster.nodes);
          if (one && other) cluster.partition([one], [other]);
        },
        { goesOn: false },
      ),
  },
  {
    id: 'F59-kill',
    title: 'the leader of weir.redis killed with -9, three times',
    system: 'own',
    cluster: true,
    long: true,
    async play(world) {
      const cluster = await beginWithLoad(world);
      for (let times = 3; times > 0; times -= 1) {
        const leader = await cluster.leaderOf('weir.redis');
        world.log(`${leader.node} is killed`);
        await leader.kill();
        await majorityGoesOn(world);
        await leader.start();
        world.system.mended();
        await cluster.whole();
        await world.pause(1_000);
      }
    },
  },
  {
    id: 'F59-freeze',
    title: 'the leader of weir.redis frozen for 30 s, longer than the others wait for it',
    system: 'own',
    cluster: true,
    long: true,
    async play(world) {
      const cluster = await beginWithLoad(world);
      const leader = await cluster.leaderOf('weir.redis');
      world.log(`${leader.node} is frozen`);
      leader.suspend();
      const begun = performance.now();
      await majorityGoesOn(world);
      await world.pause(Math.max(0, 30_000 - (performance.now() - begun)));
      leader.resume();
      world.system.mended();
      await world.pause(5_000);
    },
  },
  {
    id: 'F59-all',
    title: 'all three nodes killed with -9 at once, and back',
    system: 'own',
    cluster: true,
    long: true,
    async play(world) {
      const cluster = await beginWithLoad(world);
      await cluster.kill();
      await world.pause(3_000);
      await cluster.start();
      world.system.mended();
      await cluster.whole();
      await world.pause(2_000);
    },
  },
];
