import { createServer, Socket, type Server } from 'node:net';
import { freePort } from '@weir/testing';

export type Direction = 'toServer' | 'toClient' | 'both';

/** What can be done to a way between a client and a server. All of it ends with `heal`. */
export interface Faults {
  /** Everything passes again: what was held back is delivered, and the port listens. */
  heal(): Promise<void>;
  /** RST on every connection; new ones pass. */
  cut(): void;
  /** RST on every connection, and the port refuses new ones. */
  refuse(): Promise<void>;
  /** Connections are accepted and stay, and nothing of what is sent arrives; what was sent arrives after `heal`. */
  blackHole(direction?: Direction): void;
  /** Every piece is so much later, in both directions. */
  delay(ms: number): void;
  /** The server's end of every connection is gone, and its client is not told; new connections pass. */
  halfOpen(): void;
  /**
   * The server executes the next request and its reply never arrives: it is swallowed and the connection cut. `times`
   * such requests (1), only those whose bytes contain `containing`.
   */
  dropReplies(options?: { containing?: string; times?: number }): void;
  /** So many requests whose bytes contain this never reach the server: they get this reply, and the connection ends. */
  answer(options: { containing: string; reply: string; times: number }): void;
}

/** The suite's own proxy in front of one server, for one client. */
export interface Link extends Faults {
  readonly name: string;
  /** The server's URL with the proxy's port. */
  readonly url: string;
  /** Replies that were swallowed since the beginning. */
  readonly dropped: number;
  readonly connections: number;
  close(): Promise<void>;
}

interface Pair {
  client: Socket;
  server: Socket;
  awaitsReply: boolean;
  connected: boolean;
}

/** @param onHeal called when a fault has ended */
export async function createLink(name: string, targetUrl: string, onHeal: () => void): Promise<Link> {
  const target = new URL(targetUrl);
  const to = { host: target.hostname, port: Number(target.port) };
  const port = await freePort();
  const pairs = new Set<Pair>();
  let held: Direction | undefined;
  let delayMs = 0;
  let drop: { containing: string | undefined; left: number } | undefined;
  let answers: { containing: string; reply: string; left: number } | undefined;
  let dropped = 0;
  let faulty = false;
  /** Clients of `halfOpen` whose server is gone. */
  const abandoned = new Set<Socket>();

  const holds = (direction: Direction) => held === 'both' || held === direction;

  const cutPair = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  };

  /** Swallows the reply to a request that `dropReplies` meant; true when this piece must not pass. */
  const swallows = (pair: Pair, chunk: Buffer, direction: Direction): boolean => {
    if (!drop) return false;
    if (direction === 'toServer') {
      if (drop.containing === undefined || chunk.includes(drop.containing)) pair.awaitsReply = true;
      return false;
    }
    if (!pair.awaitsReply || drop.left === 0) return false;
    drop.left -= 1;
    dropped += 1;
    if (drop.left === 0) drop = undefined;
    cutPair(pair);
    return true;
  };

  /** Replies in the server's place; true when this piece must not pass. */
  const answersItself = (pair: Pair, chunk: Buffer, direction: Direction): boolean => {
    if (!answers || direction !== 'toServer' || !chunk.includes(answers.containing)) return false;
    answers.left -= 1;
    pairs.delete(pair);
    pair.server.removeAllListeners('close').destroy();
    pair.client.end(answers.reply);
    if (answers.left === 0) answers = undefined;
    return true;
  };

  const pump = (pair: Pair, from: Socket, into: Socket, direction: 'toServer' | 'toClient'): void => {
    const pass = (chunk: Buffer): void => {
      if (into.destroyed || swallows(pair, chunk, direction) || answersItself(pair, chunk, direction)) return;
      if (into.write(chunk)) return;
      from.pause();
      into.once('drain', () => holds(direction) || from.resume());
    };
    // In order, whatever becomes of the delay meanwhile: bytes never overtake each other on a connection.
    const waiting: { at: number; go: () => void }[] = [];
    const release = (): void => {
      while (waiting[0] && waiting[0].at <= performance.now()) waiting.shift()?.go();
      if (waiting[0]) setTimeout(release, waiting[0].at - performance.now());
    };
    const later = (go: () => void): void => {
      if (delayMs === 0 && waiting.length === 0) return go();
      waiting.push({ at: Math.max(performance.now() + delayMs, waiting.at(-1)?.at ?? 0), go });
      if (waiting.length === 1) setTimeout(release, delayMs);
    };
    from.on('data', (chunk: Buffer) => later(() => pass(chunk)));
    from.on('end', () => later(() => into.end()));
    from.on('close', () => {
      if (held !== undefined) return; // a black hole tells nobody
      pairs.delete(pair);
      into.destroy();
    });
    from.on('error', () => {});
  };

  const connectPair = (pair: Pair): void => {
    pair.connected = true;
    pair.server.connect(to);
    pair.client.resume();
  };

  const accept = (client: Socket): void => {
    const server = new Socket({ allowHalfOpen: true });
    const pair: Pair = { client, server, awaitsReply: false, connected: false };
    pairs.add(pair);
    client.setNoDelay(true);
    pump(pair, client, server, 'toServer');
    pump(pair, server, client, 'toClient');
    if (held === undefined) connectPair(pair);
    else client.pause();
  };

  let listener: Server | undefined;
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const opened = createServer({ allowHalfOpen: true }, accept);
      opened.once('error', reject);
      opened.listen(port, '127.0.0.1', () => {
        listener = opened;
        resolve();
      });
    });
  /** Not until every connection has ended, as `close` would wait: the port is free a turn of the loop later. */
  const stopListening = async (): Promise<void> => {
    listener?.close();
    listener = undefined;
    await new Promise((resolve) => setImmediate(resolve));
  };
  await listen();

  const link: Link = {
    name,
    url: withPort(targetUrl, port),
    get dropped() {
      return dropped;
    },
    get connections() {
      return pairs.size;
    },
    async heal() {
      const wasHeld = held !== undefined;
      [held, delayMs, drop, answers] = [undefined, 0, undefined, undefined];
      for (const pair of wasHeld ? [...pairs] : []) {
        if (pair.client.destroyed || pair.server.destroyed) cutPair(pair);
        else if (!pair.connected) connectPair(pair);
        else for (const socket of [pair.client, pair.server]) socket.resume();
      }
      if (!listener) await listen();
      if (faulty) onHeal();
      faulty = false;
    },
    cut() {
      for (const pair of [...pairs]) cutPair(pair);
      onHeal(); // it is over as soon as it has been done
    },
    async refuse() {
      faulty = true;
      const closed = stopListening();
      for (const pair of [...pairs]) cutPair(pair);
      for (const socket of abandoned) socket.resetAndDestroy();
      await closed;
    },
    blackHole(direction = 'both') {
      faulty = true;
      held = direction;
      for (const { client, server } of pairs) {
        if (holds('toServer')) client.pause();
        if (holds('toClient')) server.pause();
      }
    },
    delay(ms) {
      faulty = true;
      delayMs = ms;
    },
    halfOpen() {
      for (const pair of [...pairs]) {
        pairs.delete(pair);
        pair.server.removeAllListeners('close');
        pair.server.removeAllListeners('end');
        pair.server.on('close', () => {});
        pair.server.resetAndDestroy();
        pair.client.removeAllListeners('data');
        pair.client.on('data', () => {}); // taken, and told to nobody
        abandoned.add(pair.client);
        pair.client.on('close', () => abandoned.delete(pair.client));
      }
      onHeal();
    },
    dropReplies({ containing, times = 1 } = {}) {
      faulty = true;
      for (const pair of pairs) pair.awaitsReply = false;
      drop = { containing, left: times };
    },
    answer({ containing, reply, times }) {
      faulty = true;
      answers = { containing, reply, left: times };
    },
    async close() {
      const closed = stopListening();
      for (const pair of [...pairs]) cutPair(pair);
      for (const socket of abandoned) socket.destroy();
      await closed;
    },
  };
  return link;
}

/** Several ways at once, such as all that lead to one server. */
export function together(links: readonly Link[]): Faults {
  const each = (act: (link: Link) => void) => () => links.forEach(act);
  const eachSoon = (act: (link: Link) => Promise<void>) => async () => void (await Promise.all(links.map(act)));
  return {
    heal: eachSoon((link) => link.heal()),
    refuse: eachSoon((link) => link.refuse()),
    cut: each((link) => link.cut()),
    halfOpen: each((link) => link.halfOpen()),
    blackHole: (direction) => links.forEach((link) => link.blackHole(direction)),
    delay: (ms) => links.forEach((link) => link.delay(ms)),
    dropReplies: (options) => links.forEach((link) => link.dropReplies(options)),
    answer: (options) => links.forEach((link) => link.answer(options)),
  };
}

function withPort(url: string, port: number): string {
  // Not by `URL`: it would add a slash, and it knows no host of mongodb: URLs with several of them.
  const { port: old } = new URL(url);
  const at = url.lastIndexOf(`:${old}`);
  return `${url.slice(0, at)}:${port}${url.slice(at + 1 + old.length)}`;
}
