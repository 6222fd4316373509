import { createServer, Socket, type Server } from 'node:net';

/** The ways between the nodes of a cluster, each through a proxy of ours, so that any direction of any way can end. */
export interface Ways {
  /** The port at which `from` reaches `to`. */
  port(from: string, to: string): number;
  /** From now on nothing of what `from` sends reaches `to`, and nobody is told: a cable pulled, or iptables' DROP. */
  silence(from: string, to: string): void;
  /** Connections between the two are reset and new ones refused, in both directions: iptables' REJECT. */
  refuse(one: string, other: string): void;
  /** Everything passes again; what was silenced comes late where the connection has outlived the silence, as TCP has it. */
  heal(): void;
  close(): Promise<void>;
}

interface Pair {
  from: string;
  to: string;
  /** Of `from`. */
  client: Socket;
  /** To `to`; it is connected only when the way is free. */
  server: Socket;
  connected: boolean;
}

/** @param target where a node really listens; undefined while it does not run */
export async function openWays(names: readonly string[], target: (name: string) => number | undefined): Promise<Ways> {
  const silenced = new Set<string>();
  const refused = new Set<string>();
  const pairs = new Set<Pair>();
  const listeners = new Map<string, Server>();
  const isSilent = (from: string, to: string) => silenced.has(key(from, to));

  const destroy = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.destroy();
  };

  /** Lets each direction flow that may; connects to the other node once both may. */
  const update = (pair: Pair): void => {
    const { from, to, client, server } = pair;
    if (refused.has(key(from, to))) return destroy(pair);
    const [there, back] = [!isSilent(from, to), !isSilent(to, from)];
    if (!pair.connected && there && back) {
      const port = target(to);
      if (port === undefined || client.destroyed) return destroy(pair);
      pair.connected = true;
      server.connect(port, '127.0.0.1');
    }
    if (there && pair.connected) client.resume();
    else client.pause();
    if (back) server.resume();
    else server.pause();
    // An end that was silenced is told now.
    if (there && client.destroyed) destroy(pair);
    if (back && pair.connected && server.destroyed) destroy(pair);
  };

  const pump = (pair: Pair, source: Socket, sink: Socket, from: string, to: string): void => {
    source.setNoDelay(true);
    source.on('data', (chunk) => {
      if (sink.destroyed || sink.write(chunk)) return;
      source.pause();
      sink.once('drain', () => isSilent(from, to) || source.resume());
    });
    source.on('error', () => {});
    source.on('close', () => isSilent(from, to) || destroy(pair));
  };

  const accept = (from: string, to: string) => (client: Socket) => {
    const pair: Pair = { from, to, client, server: new Socket(), connected: false };
    pairs.add(pair);
    pump(pair, client, pair.server, from, to);
    pump(pair, pair.server, client, to, from);
    update(pair);
  };

  for (const from of names) {
    for (const to of names.filter((name) => name !== from)) {
      listeners.set(key(from, to), await listen(accept(from, to)));
    }
  }

  return {
    port(from, to) {
      const address = listeners.get(key(from, to))?.address();
      if (!address || typeof address === 'string') throw new Error(`There is no way from ${from} to ${to}.`);
      return address.port;
    },
    silence(from, to) {
      silenced.add(key(from, to));
      pairs.forEach(update);
    },
    refuse(one, other) {
      refused.add(key(one, other)).add(key(other, one));
      pairs.forEach(update);
    },
    heal() {
      silenced.clear();
      refused.clear();
      pairs.forEach(update);
    },
    async close() {
      pairs.forEach(destroy);
      await Promise.all([...listeners.values()].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

const key = (from: string, to: string) => `${from}>${to}`;

function listen(accept: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true }, accept);
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
