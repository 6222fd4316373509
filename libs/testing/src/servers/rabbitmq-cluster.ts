import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startChooser } from './chooser';
import { startErlangNames, type ErlangNames } from './erlang-names';
import { freePort } from './ports';
import { erlangText, startRabbitmq, type PrivateRabbitmq } from './rabbitmq';
import { ServerError } from './server';
import type { StartOptions } from './server';
import { loadState } from './state';
import { openWays } from './ways';

/** One node of a cluster; its `url` is its own. */
export type ClusterNode = PrivateRabbitmq & {
  /** `weir1` to `weir3`. */
  readonly node: string;
};

/**
 * Three RabbitMQ nodes in one cluster. As a whole it is a server like another: its URL is that of a load balancer in
 * front of the nodes, what is done to it is done to all of them, and `evaluate` asks the first that answers.
 */
export interface RabbitmqCluster extends PrivateRabbitmq {
  readonly nodes: readonly ClusterNode[];
  /**
   * Parts the nodes into groups that do not hear of each other any more. Nobody is told: a node finds out when the
   * other's ticks do not come, after 11 to 19 seconds, and one without a majority pauses itself.
   */
  partition(...groups: (readonly ClusterNode[])[]): void;
  /** Nothing that `from` sends reaches `to`; the other direction stays. */
  silence(from: ClusterNode, to: ClusterNode): void;
  /** As a firewall that rejects: the connections between the groups are reset at once, and new ones refused. */
  reject(...groups: (readonly ClusterNode[])[]): void;
  /** Ends every partition. */
  heal(): void;
  /** Ends it for good: nodes, proxies and ports. */
  close(): Promise<void>;
  /** The node that leads a quorum queue or a stream now. @throws while there is none */
  leaderOf(queue: string): Promise<ClusterNode>;
  /** The nodes that have a member of the queue. */
  membersOf(queue: string): Promise<ClusterNode[]>;
  /**
   * Waits until every node runs, knows all others, and any one of them can go without a queue losing its majority: what
   * operators wait for between two nodes of a rolling restart (`rabbitmqctl await_online_quorum_plus_one`).
   */
  whole(timeoutMs?: number): Promise<void>;
}

/**
 * After how many seconds of silence, give or take a quarter, a node believes another to be gone (net_ticktime): what
 * Jepsen's RabbitMQ suite uses. With much less, nodes on a busy machine take each other for dead.
 */
const TICK_SECONDS = 15;

const FIRST = 'weir1';
const OTHERS = ['weir2', 'weir3'];
const NODES = [FIRST, ...OTHERS];

/**
 * Starts three private RabbitMQ nodes on loopback and joins them; where one cannot have a majority, it pauses
 * (`pause_minority`, as the clustering guide wants it for quorum queues). All traffic between the nodes goes over
 * proxies of ours, so that partitions need no root. Only the copies of streams have connections of their own, which a
 * partition leaves alone; until its leader has come, a copy waits for it on a port of all addresses (osiris has no
 * setting for that; it wants a token).
 */
export async function startRabbitmqCluster(options: StartOptions): Promise<RabbitmqCluster> {
  const { dir, startTimeoutMs = 300_000 } = options;
  const { ports, user, password } = await loadState<'amqp'>(dir, ['amqp']);
  const cookie = createHash('sha256').update(`cookie ${password}`).digest('hex').slice(0, 40).toUpperCase();

  const names = new Map<string, ErlangNames>();
  const ways = await openWays(NODES, (name) => names.get(name)?.portOf(name));
  for (const name of NODES) {
    const portOfPeer = (peer: string) =>
      names.get(peer)?.portOf(peer) === undefined ? undefined : ways.port(name, peer);
    names.set(name, await startErlangNames(await freePort(), portOfPeer));
  }
  const closeWays = async (): Promise<void> => {
    await ways.close();
    await Promise.all([...names.values()].map((each) => each.close()));
  };

  const startNode = async (node: string): Promise<ClusterNode> => {
    const server = await startRabbitmq(
      { dir: join(dir, node), startTimeoutMs, settings },
      { name: node, cookie, user, password, epmdPort: names.get(node)?.port ?? 0, arguments: erlang },
    );
    return Object.assign(server, { node });
  };
  const nodes: ClusterNode[] = [];
  const startNodes = async (chosen: readonly string[]): Promise<void> => {
    const started = await Promise.allSettled(chosen.map(startNode));
    for (const each of started) if (each.status === 'fulfilled') nodes.push(each.value);
    for (const each of started) if (each.status === 'rejected') throw each.reason;
  };
  try {
    // The first time the others join the first. Later each waits for what the others know, so that all start at once.
    const joined = existsSync(join(dir, FIRST, 'state.json'));
    for (const chosen of joined ? [NODES] : [[FIRST], OTHERS]) await startNodes(chosen);
  } catch (error) {
    await Promise.all(nodes.map((each) => each.kill()));
    await closeWays();
    throw error;
  }

  const chooser = await startChooser(
    ports.amqp,
    nodes.map(({ url }) => Number(new URL(url).port)),
  );
  const running = () => nodes.filter(({ pids }) => pids.length > 0);
  const each = (act: (node: ClusterNode) => Promise<void>) => async () => void (await Promise.all(nodes.map(act)));
  const byName = (printed: string): ClusterNode => {
    const found = nodes.find(({ node }) => printed.includes(`${node}@`));
    if (!found) throw new ServerError(`There is no node ${printed} in this cluster.`);
    return found;
  };

  const evaluate = async (expressions: string): Promise<string> => {
    let last: unknown = new ServerError('no node of the cluster runs');
    for (const node of running()) {
      try {
        return await node.evaluate(expressions);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  };

  const between = (groups: (readonly ClusterNode[])[], act: (from: string, to: string) => void): void => {
    for (const from of groups) {
      const others = groups.filter((group) => group !== from).flat();
      for (const { node } of from) others.forEach((other) => act(node, other.node));
    }
  };

  const first = nodes[0] as ClusterNode;
  const whole = async (timeoutMs = 90_000): Promise<void> => {
    const deadline = performance.now() + timeoutMs;
    for (let last = ''; ; await pause(200)) {
      const states = await Promise.all(nodes.map((node) => stateOf(node)));
      if (states.every((state) => state === 'true')) return;
      last = states.map((state, at) => `${NODES[at]}: ${state}`).join(', ');
      if (performance.now() > deadline)
        throw new ServerError(`The cluster is not whole after ${timeoutMs / 1000} s: ${last}`);
    }
  };

  return {
    name: 'rabbitmq',
    url: `amqp://${user}:${password}@127.0.0.1:${ports.amqp}`,
    found: 'program',
    note: `three nodes in one cluster, data in ${dir}`,
    dir,
    logFile: first.logFile,
    get pids() {
      return nodes.flatMap(({ pids }) => pids);
    },
    nodes,
    suspend: () => running().forEach((node) => node.suspend()),
    resume: () => running().forEach((node) => node.resume()),
    kill: each((node) => node.kill()),
    stop: each((node) => node.stop()),
    start: each(async (node) => (node.pids.length === 0 ? node.start() : undefined)),
    async close() {
      await Promise.all(nodes.map((node) => node.kill()));
      await chooser.close();
      await closeWays();
    },
    evaluate,
    async addVhost(name) {
      await first.addVhost(name);
      return `amqp://${user}:${password}@127.0.0.1:${ports.amqp}/${encodeURIComponent(name)}`;
    },
    deleteVhost: (name) => first.deleteVhost(name),
    partition: (...groups) => between(groups, ways.silence),
    reject: (...groups) => between(groups, ways.refuse),
    silence: (from, to) => ways.silence(from.node, to.node),
    heal: ways.heal,
    leaderOf: async (queue) => byName(await evaluate(leaderOf(queue))),
    async membersOf(queue) {
      const printed = await evaluate(membersOf(queue));
      return nodes.filter(({ node }) => printed.includes(`${node}@`));
    },
    whole,
  };
}

/** Prints `true`, or what is missing: nodes, or queues that would lose their majority with one more node. */
async function stateOf(node: ClusterNode): Promise<string> {
  if (node.pids.length === 0) return 'it does not run';
  return node.evaluate(WHOLE).catch((error: unknown) => (error as Error).message);
}

const lookUp = (queue: string) =>
  `{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${erlangText(queue)}">>)),`;

/** Raft is asked, not the metadata, which learns of an election a moment later. */
const leaderOf = (queue: string) => `${lookUp(queue)}
  case rabbit_amqqueue:pid_of(Queue) of
    {Name, _} -> {ok, _, {_, Leader}} = ra:members({Name, node()}), Leader;
    Pid -> node(Pid)
  end.`;

const membersOf = (queue: string) => `${lookUp(queue)} maps:get(nodes, amqqueue:get_type_state(Queue)).`;

const WHOLE = `
  Running = length(rabbit_mnesia:cluster_nodes(running)),
  Weak = [Name || {resource, _, _, Name} <- rabbit_quorum_queue:list_with_minimum_quorum()],
  case {rabbit:is_running(), Running, Weak} of {true, 3, []} -> true; Other -> Other end.`;

const settings = [
  'cluster_partition_handling = pause_minority',
  'cluster_formation.peer_discovery_backend = classic_config',
  `cluster_formation.classic_config.nodes.1 = ${FIRST}@localhost`,
];

const erlang = `-kernel net_ticktime ${TICK_SECONDS}`;
