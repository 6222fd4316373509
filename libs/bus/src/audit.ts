import { EventEmitter, once } from 'node:events';
import type { Channel, ChannelModel } from 'amqplib';
import type { Logger } from 'pino';
import { keepConnected } from './link';
import { withTimeout } from './timeout';
import { declarations, declare, declareOn, HISTORY, queueOf, workersWith, type Declaration } from './topology';
import { whyUnavailable } from './unavailable';

/** Something of the topology that is not there. A binding is called by its queue: it has no name of its own. */
export interface Missing {
  kind: 'exchange' | 'queue' | 'binding';
  name: string;
  /** The broker has it and cannot reach it, as it says itself: nobody can declare it again. It comes back by itself. */
  unavailable?: string;
}

/** A queue as the broker counts it: messages ready to be delivered, and consumers. */
export interface Depth {
  messages: number;
  consumers: number;
}

/** What a look at the topology found; depths of the queues that are there. */
export interface Look {
  missing: readonly Missing[];
  depths: ReadonlyMap<string, Depth>;
}

/**
 * Sees to it that the topology is there. Exchanges and queues are found missing by passive declares; bindings cannot
 * be listed over AMQP 0-9-1, and are found missing by canaries that do not arrive (docs/decisions/0006).
 */
export interface Audit {
  /**
   * For whoever has just made a connection: looks, declares the whole topology, and tells `found` and `repaired`. Goes
   * on without the queues of others that the broker cannot reach.
   *
   * @throws MismatchError when the broker has it with other arguments; Error when it cannot reach the worker's own queue
   */
  ensure(connection: ChannelModel): Promise<Look>;
  /** Looks, on the connection of the audit, and declares when something is missing. Rejects when it has no answer. */
  look(): Promise<Look>;
  /** Declares everything, bindings too, whether something is seen to be missing or not. */
  declare(): Promise<Look>;
  /** Begins to watch the history for anything new; undefined when that is not possible, which the log says once. */
  watchHistory(): Promise<HistoryWatch | undefined>;
  /** True while it can look; otherwise why not. */
  state(): true | string;
  close(): Promise<void>;
}

export interface HistoryWatch {
  /** Waits for anything to come into the history after the watch began, but no longer than this; whether it did. */
  seen(withinMs: number): Promise<boolean>;
  end(): Promise<void>;
}

export interface AuditOptions {
  url: string;
  worker: string;
  log: Logger;
  /** Something is missing that was there, or that another process has declared before: before it is declared again. */
  found(missing: readonly Missing[]): void;
  /** It has been declared again. */
  repaired(missing: readonly Missing[]): void;
}

const LOOK_TIMEOUT_MS = 10_000;

/**
 * On a connection of its own, which never publishes: an alarm blocks those that do, declarations and all, and the
 * depths of the queues are wanted then more than ever.
 */
export function createAudit({ url, worker, log, found, repaired }: AuditOptions): Audit {
  const workers = workersWith(worker);
  let connection: ChannelModel | undefined;
  // Nothing is missing from a broker that nobody has declared anything on yet.
  let declared = false;
  let cannotWatch = '';

  const lookAndDeclare = async (on: ChannelModel, always: boolean): Promise<Look> => {
    // Not without need: a binding that is missing would be declared again before anybody could see that it was.
    const look = await lookAt(on, workers, { declaring: always });
    const unavailable = look.missing.filter((each) => each.unavailable !== undefined);
    const missing = look.missing.filter((each) => each.unavailable === undefined);
    if (unavailable.length > 0) found(unavailable);
    if (missing.length > 0 && declared) found(missing);
    if (missing.length > 0) await declareOn(on, workers, () => false);
    if (missing.length > 0 && declared) repaired(missing);
    if (missing.length > 0 && !declared) log.info({ names: missing.map(({ name }) => name) }, 'declared the topology');
    declared = true;
    return look;
  };

  // One at a time: of two that look at once, both would find and tell what one of them has mended.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (on: ChannelModel, always: boolean): Promise<Look> => {
    const mine = turn.then(() => withTimeout(lookAndDeclare(on, always), LOOK_TIMEOUT_MS));
    turn = mine.catch(() => {});
    return mine;
  };
  const ensure = async (on: ChannelModel): Promise<Look> => {
    const look = await inTurn(on, true);
    const own = look.missing.find(({ name, unavailable }) => name === queueOf(worker) && unavailable !== undefined);
    if (own) throw new Error(`the broker cannot reach ${own.name}: ${own.unavailable}`);
    return look;
  };
  const onOwn = async (always: boolean): Promise<Look> => {
    try {
      return await inTurn(connected(), always);
    } catch (error) {
      if (connection) link.reset(`the audit has no answer: ${(error as Error).message}`);
      throw error;
    }
  };

  const link = keepConnected({
    url,
    log,
    name: `${worker} audit`,
    async setup(made) {
      await inTurn(made, true); // its own queue too is only looked at
      connection = made;
      made.once('close', () => (connection = undefined));
    },
  });
  const connected = (): ChannelModel => {
    if (!connection) throw new Error(String(link.state()));
    return connection;
  };

  return {
    ensure,
    look: () => onOwn(false),
    declare: () => onOwn(true),
    async watchHistory() {
      let begun: Promise<HistoryWatch> | undefined;
      try {
        begun = watchHistory(connected());
        const watch = await withTimeout(begun, LOOK_TIMEOUT_MS);
        cannotWatch = '';
        return watch;
      } catch (error) {
        // The answer may come after all, and nobody would end that consumer.
        begun?.then((late) => late.end()).catch(() => {});
        const reason = (error as Error).message;
        if (reason !== cannotWatch) log.warn({ reason }, 'the history cannot be watched');
        cannotWatch = reason;
        return undefined;
      }
    },
    state: () => link.state(),
    close: () => link.close(),
  };
}

/**
 * Asks for everything by passive declares, and then declares it if it is to, each thing right behind its question:
 * what goes missing between the two would be declared again, and nobody would hear of it.
 */
async function lookAt(on: ChannelModel, workers: readonly string[], how: { declaring: boolean }): Promise<Look> {
  const missing: Missing[] = [];
  const depths = new Map<string, Depth>();
  const left = declarations(workers);
  // What is missing closes the channel of the question (404); the next one goes on.
  const ask = async (declaring: Channel | undefined) =>
    onChannel(on, async (asking) => {
      for (let next = left.shift(); next; next = left.shift()) {
        const { kind, name } = next;
        const found = await find(asking, next);
        if ('messages' in found) depths.set(name, found);
        else missing.push({ kind, name, ...found });
        if (declaring && !('unavailable' in found)) await declare(declaring, next);
        if (!('messages' in found)) return;
      }
    });
  await onChannel(on, async (declaring) => {
    while (left.length > 0) await ask(how.declaring ? declaring : undefined);
  });
  return { missing, depths };
}

/** What a passive declare tells, for an exchange nothing; or that it is not there, which has closed the channel. */
async function find(channel: Channel, { kind, name }: Declaration): Promise<Depth | Pick<Missing, 'unavailable'>> {
  try {
    if (kind === 'exchange') await channel.checkExchange(name);
    const { messageCount, consumerCount } = kind === 'queue' ? await channel.checkQueue(name) : none;
    return { messages: messageCount, consumers: consumerCount };
  } catch (error) {
    if ((error as { code?: unknown }).code !== 404) throw error;
    const why = whyUnavailable(error);
    return why === undefined ? {} : { unavailable: why };
  }
}

const none = { messageCount: 0, consumerCount: 0 };

/**
 * A consumer of the stream from its end on. Only that a message comes is of interest, not which: the history gets
 * every event, so a canary that was confirmed is behind it at the latest. No clocks are compared.
 */
async function watchHistory(connection: ChannelModel): Promise<HistoryWatch> {
  const channel = await openChannel(connection);
  const news = new EventEmitter();
  let seen = false;
  const take = (): void => {
    seen = true;
    news.emit('news');
  };
  channel.on('close', () => news.emit('news'));
  await channel.prefetch(1, false);
  const { consumerTag } = await channel.consume(HISTORY, take, { arguments: { 'x-stream-offset': 'next' } });
  return {
    async seen(withinMs) {
      if (!seen) await once(news, 'news', { signal: AbortSignal.timeout(withinMs) }).catch(() => {});
      return seen;
    },
    async end() {
      const gone = once(channel, 'close');
      // RabbitMQ 3.10 keeps what it knows of a stream's consumer when its channel closes, but not when it is cancelled.
      const ended = channel.cancel(consumerTag).then(() => channel.close());
      // amqplib never settles a close whose connection is lost before the answer.
      await withTimeout(Promise.race([ended, gone]), LOOK_TIMEOUT_MS).catch(() => {});
    },
  };
}

/** A channel for `work` alone: a refused declaration takes nothing else with it (reference reliability A.3, L14). */
async function onChannel(connection: ChannelModel, work: (channel: Channel) => Promise<void>): Promise<void> {
  const channel = await openChannel(connection);
  try {
    await work(channel);
  } finally {
    await channel.close().catch(() => {}); // closed by the broker already
  }
}

async function openChannel(connection: ChannelModel): Promise<Channel> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  return channel;
}
