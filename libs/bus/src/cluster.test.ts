import { createEvent, decodeEvent, type WeirEvent } from '@weir/events';
import { startRabbitmqCluster, temporaryDirectory, until, type ClusterNode, type RabbitmqCluster } from '@weir/testing';
import { connect } from 'amqplib';
import pino from 'pino';
import { Registry } from 'prom-client';
import {
  createAudit,
  createConsumer,
  createPublisher,
  declareOn,
  HISTORY,
  queueOf,
  type Audit,
  type Missing,
} from './index';

// Three brokers in one cluster, with all of their addresses in one URL.

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let cluster: RabbitmqCluster;
const releases: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  dir = await temporaryDirectory();
  cluster = await startRabbitmqCluster({ dir: `${dir.path}/cluster` });
}, 300_000);
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
}, 60_000);
afterAll(async () => {
  await cluster.close();
  await dir.remove();
}, 60_000);

const urlsOf = (vhost: string) => cluster.nodes.map(({ url }) => `${url}/${vhost}`).join(',');

interface Line {
  link?: string;
  broker?: string;
  msg: string;
}

/** A virtual host with publisher and workers, as they are in their processes. */
async function place(vhost: string) {
  await cluster.addVhost(vhost);
  const url = urlsOf(vhost);
  const text: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void text.push(line) });
  const lines = () => text.map((line) => JSON.parse(line) as Line);
  const connection = await connect(url.split(',')[0] ?? '');
  await declareOn(connection);
  await connection.close();
  const publish = () => {
    const publisher = createPublisher({ url, spoolDir: `${dir.path}/${vhost}`, log, metrics: new Registry() });
    releases.push(() => publisher.close());
    return publisher;
  };
  const work = (worker: string) => {
    const found: Missing[] = [];
    const taken = new Set<string>();
    const audit: Audit = createAudit({ url, worker, log, found: (missing) => void found.push(...missing), repaired: () => {} }); // prettier-ignore
    const consumer = createConsumer({
      url,
      worker,
      log,
      maxEvents: 100,
      maxAgeMs: 5,
      prepare: audit.ensure,
      read: (message) => message,
      handle: async (batch) => {
        for (const { content } of batch) taken.add(idOf(content));
      },
    });
    releases.push(() => audit.close(), () => consumer.close()); // prettier-ignore
    return { audit, consumer, found, taken };
  };
  /** The node that a link was last connected to. */
  const nodeOf = (link: string): ClusterNode => {
    const { broker = '' } = lines().filter((line) => line.link === link && line.broker !== undefined).at(-1) ?? {}; // prettier-ignore
    return cluster.nodes.find(({ url: of }) => new URL(of).host === broker) as ClusterNode;
  };
  return { publish, work, nodeOf, text };
}

function idOf(content: Buffer): string {
  const decoded = decodeEvent(content);
  return decoded.ok ? decoded.event.id : 'invalid';
}

const events = (count: number): WeirEvent[] =>
  Array.from({ length: count }, () => createEvent('io.weir.pull', { repository: 'a/b' }, { source: '/cluster' }));

test('when the broker that they are connected to is killed, publisher and consumer go on at another; nothing is lost', async () => {
  const here = await place('urls');
  const publisher = here.publish();
  const { consumer, taken } = here.work('redis');
  await until(() => publisher.ready() === true && consumer.state() === true);
  const sent: WeirEvent[] = [];
  const send = async () => {
    const some = events(50);
    const outcomes = await publisher.publishAll(some);
    expect(outcomes.filter(({ status }) => status !== 'fulfilled')).toEqual([]);
    sent.push(...some);
  };
  for (const link of ['weir publisher', 'redis worker']) {
    const node = here.nodeOf(link);
    await send();
    const sending = send(); // on its way when it happens
    await node.kill();
    await sending;
    await until(() => here.nodeOf(link) !== node, 60_000);
    await send();
    await until(() => sent.every(({ id }) => taken.has(id)), 60_000);
    expect(here.nodeOf(link)).not.toBe(node);
    await node.start();
    await cluster.whole();
  }
  expect(taken.size).toBe(sent.length);
  const { password } = new URL(cluster.nodes[0]?.url ?? '');
  expect(password.length).toBeGreaterThan(8);
  expect(here.text.join('')).not.toContain(password);
}, 300_000);

/** The queues have their only member on this node then. */
async function confine(vhost: string, queues: readonly string[], node: ClusterNode): Promise<void> {
  const running = await cluster.evaluate('rabbit_mnesia:cluster_nodes(running).');
  const erlangName = ({ node: name }: ClusterNode) => (new RegExp(`${name}@[\\w.-]+`).exec(running) ?? [''])[0];
  for (const queue of queues) {
    const [module, act] = queue === HISTORY ? ['rabbit_stream_queue', 'delete_replica'] : ['rabbit_quorum_queue', 'delete_member']; // prettier-ignore
    const members = () =>
      cluster.evaluate(
        `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"${vhost}">>, queue, <<"${queue}">>)), maps:get(nodes, amqqueue:get_type_state(Q)).`,
      );
    for (const other of cluster.nodes.filter((each) => each !== node)) {
      await cluster.evaluate(`${module}:${act}(<<"${vhost}">>, <<"${queue}">>, '${erlangName(other)}').`);
      await until(async () => !(await members()).includes(`${other.node}@`), 30_000);
    }
  }
}

test('queues that the broker cannot reach stop nobody but who needs them, and are there again with their node', async () => {
  const [home, ...others] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
  const [spared, hit] = [await place('spared'), await place('hit')];
  await confine('spared', [HISTORY, queueOf('mongo')], home);
  await confine('hit', [queueOf('influx')], home);
  await home.kill();
  for (const node of others) await node.kill();
  await Promise.all(others.map((node) => node.start()));

  // Of the history and of an optional worker nobody else takes notice.
  const publisher = spared.publish();
  const redis = spared.work('redis');
  await until(() => publisher.ready() === true && redis.consumer.state() === true, 60_000);
  const [event] = events(1) as [WeirEvent];
  // Into the spool at first, where a queue has not got its leader yet.
  await until(async () => (await publisher.publish(event)) === 'confirmed', 60_000);
  await until(() => redis.taken.has(event.id));
  // The audit connects by itself, and may be the last to do so.
  let look: Awaited<ReturnType<typeof redis.audit.look>> | undefined;
  await until(async () => (look = await redis.audit.look().catch(() => undefined)) !== undefined, 60_000);
  expect(look?.missing).toEqual(
    [queueOf('mongo'), HISTORY].map((name) => ({ kind: 'queue', name, unavailable: expect.stringMatching(/^home node .* is down or inaccessible$/) as string })),
  ); // prettier-ignore
  expect(redis.found).toEqual(expect.arrayContaining(look?.missing as Missing[]));
  const mongo = spared.work('mongo');
  await until(() => /^the broker cannot reach weir\.mongo: home node /.test(String(mongo.consumer.state())), 60_000);

  // Past the queue of a counter nothing is confirmed: its store would miss it.
  const holding = hit.publish();
  await until(() => String(holding.ready()).includes('weir.influx'), 60_000);
  const [kept] = events(1) as [WeirEvent];
  expect(await holding.publish(kept)).toBe('spooled');
  const other = hit.work('redis');
  await until(() => other.consumer.state() === true, 60_000);

  await home.start();
  const influx = hit.work('influx');
  await until(() => influx.taken.has(kept.id) && other.taken.has(kept.id), 120_000);
  await until(() => mongo.consumer.state() === true, 60_000);
  // A stream has its leader back a moment after its node.
  await until(async () => (await redis.audit.look()).missing.length === 0, 60_000);
}, 300_000);
