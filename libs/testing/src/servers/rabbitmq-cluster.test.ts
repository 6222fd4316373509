import { connect, type ConfirmChannel } from 'amqplib';
import { processesOf } from './leftovers.test-support';
import { startRabbitmqCluster, type ClusterNode, type RabbitmqCluster } from './rabbitmq-cluster';
import { temporaryDirectory } from './temporary';
import { until } from './wait';

describe('three RabbitMQ nodes in one cluster', () => {
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let cluster: RabbitmqCluster;

  beforeAll(async () => {
    dir = await temporaryDirectory();
    cluster = await startRabbitmqCluster({ dir: dir.path });
    await withChannel(cluster.url, async (channel) => {
      await channel.assertQueue('quorum', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await channel.assertQueue('stream', { durable: true, arguments: { 'x-queue-type': 'stream' } });
    });
    await cluster.whole();
  }, 180_000);
  afterEach(async () => {
    cluster.heal();
    await cluster.start();
    await cluster.whole();
  }, 120_000);
  afterAll(async () => {
    await cluster.close();
    expect(processesOf(dir.path)).toEqual([]);
    await dir.remove();
  }, 60_000);

  it('has a member of every quorum queue and stream on each node', async () => {
    expect(await cluster.membersOf('quorum')).toEqual(cluster.nodes);
    expect(await cluster.membersOf('stream')).toEqual(cluster.nodes);
    expect(cluster.nodes).toContain(await cluster.leaderOf('stream'));
  });

  it('keeps what it has confirmed when the leader is killed, and elects another', async () => {
    const leader = await cluster.leaderOf('quorum');
    await publish(cluster.url, 'before');
    await leader.kill();
    const next = await until('another node leads', () => otherLeader(cluster, leader), { timeoutMs: 60_000 });
    expect(next).not.toBe(leader);
    await publish(cluster.url, 'meanwhile');
    await leader.start();
    expect(await takeAll(cluster.url)).toEqual(['before', 'meanwhile']);
  }, 180_000);

  it('pauses a node that is parted from the others, while these go on, and takes it back', async () => {
    const alone = await cluster.leaderOf('quorum');
    const others = cluster.nodes.filter((node) => node !== alone);
    cluster.partition([alone], others);
    await until('the lonely node pauses', () => expectRunning(alone, false), { timeoutMs: 60_000 });
    await publish(cluster.url, 'to the majority');
    await expect(connect(alone.url)).rejects.toThrow(/ECONNREFUSED|closed|ECONNRESET/);
    for (const node of others) await expectRunning(node, true);

    cluster.heal();
    await cluster.whole();
    await expectRunning(alone, true);
    expect(await takeAll(alone.url)).toEqual(['to the majority']);
  }, 180_000);

  it('notices a way that is silent in one direction only', async () => {
    const [one, other] = cluster.nodes as [ClusterNode, ClusterNode];
    cluster.silence(one, other);
    const parted = async () =>
      expect(await other.evaluate('lists:sort(nodes()).').catch(String)).not.toContain(`${one.node}@`);
    await until('the one that hears nothing believes the other gone', parted, { timeoutMs: 60_000 });
  }, 180_000);
});

async function otherLeader(cluster: RabbitmqCluster, than: ClusterNode): Promise<ClusterNode> {
  const leader = await cluster.leaderOf('quorum');
  if (leader === than) throw new Error('still the same');
  return leader;
}

async function expectRunning(node: ClusterNode, running: boolean): Promise<void> {
  expect(await node.evaluate('rabbit:is_running().')).toBe(String(running));
}

/** Until it is confirmed: right after a node has gone, the load balancer may still lead to it, or no leader be there. */
async function publish(url: string, text: string): Promise<void> {
  const once = () =>
    withChannel(url, async (channel) => {
      channel.sendToQueue('quorum', Buffer.from(text), { persistent: true });
      await channel.waitForConfirms();
    });
  await until(`'${text}' is confirmed`, once, { timeoutMs: 30_000 });
}

/** In the order of their first appearance, each once: a publisher that was not confirmed has sent it twice. */
async function takeAll(url: string): Promise<string[]> {
  const taken = new Set<string>();
  await withChannel(url, async (channel) => {
    for (let empty = 0; empty < 5;) {
      const message = await channel.get('quorum', { noAck: true });
      if (message) taken.add(message.content.toString());
      else empty += 1;
    }
  });
  return [...taken];
}

async function withChannel(url: string, work: (channel: ConfirmChannel) => Promise<void>): Promise<void> {
  const connection = await connect(url, { timeout: 5_000 });
  connection.on('error', () => {});
  try {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    await work(channel);
  } finally {
    await connection.close().catch(() => {});
  }
}
