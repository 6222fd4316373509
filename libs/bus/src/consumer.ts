import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Logger } from 'pino';
import { createAcknowledging } from './acknowledge';
import { keepConnected } from './link';
import { withTimeout } from './timeout';
import { queueOf } from './topology';

/**
 * Does what is to be done with the messages of one batch, as they were read, oldest first. Resolves when they may be
 * acknowledged, with those that may not be yet: each is acknowledged for itself when its promise resolves.
 *
 * When it rejects, or one of those promises does, the connection is given up and the broker delivers again. `signal`
 * aborts when the batch can no longer be acknowledged (connection lost, closing): what is still undone may be dropped.
 * It is one for all batches of a channel. `next` may be called before: from then on the batch does not count as one in
 * hand, and the next one is handed on.
 */
export type Handle<Read> = (
  batch: readonly Read[],
  signal: AbortSignal,
  next: () => void,
) => Promise<Held<Read> | void>;
export type Held<Read> = ReadonlyMap<Read, Promise<void>>;

export interface Consumer {
  /** True while consuming; otherwise why not. A connection without a consumer is not ready. */
  state(): true | string;
  /** When the last message came, on the monotonic clock in milliseconds; 0 before the first. */
  lastMessageAt(): number;
  /** Since when the oldest message that is not acknowledged yet has been here, likewise; undefined when there is none. */
  oldestSince(): number | undefined;
  /** Consumes anew, on a new connection. */
  reset(reason: string): void;
  /** Stops taking, waits some seconds for the batches in hand, gives the rest back to the queue. */
  close(): Promise<void>;
}

export interface ConsumerOptions<Read> {
  url: string;
  worker: string;
  log: Logger;
  /** A batch is handed on when it has this many events … */
  maxEvents: number;
  /** … or when its first event has waited this long, milliseconds. While batches are in hand the next one gathers. */
  maxAgeMs: number;
  /** Declares the queue; runs on every new connection. */
  prepare(connection: ChannelModel): Promise<unknown>;
  /**
   * What is kept of a message while it waits, an object of its own, made as soon as it is here; must not throw. Of a
   * message as amqplib gives it some 6 KB stay in memory, and thousands wait.
   */
  read(message: ConsumeMessage): Read;
  handle: Handle<Read>;
  /**
   * Whether batches get done, as far as is known; true where it is not given. While they do not, a new channel takes one
   * message, and as many as usual once that one is done: what is in hand when the broker will wait no longer for
   * acknowledgements (`consumer_timeout`, half an hour) counts one return more, and rests among the dead letters when
   * there have been `x-delivery-limit` of them (reference reliability A.2).
   */
  working?(): boolean;
}

/** Batches in hand at one time: some stores take two; for others the second is ready when the first is done. */
const IN_HAND = 2;
/** How long the broker may take to stop delivering; one that has fallen silent must not keep a worker from ending. */
const STOP_TIMEOUT_MS = 2000;
/** How long closing waits for the batches in hand. A store that hangs keeps them: the broker delivers them again. */
const IN_HAND_TIMEOUT_MS = 8000;

/** Consumes a worker's queue in batches, for ever. Batches are acknowledged in the order in which they came. */
export function createConsumer<Read>(options: ConsumerOptions<Read>): Consumer {
  const { url, worker, log, maxEvents, maxAgeMs, prepare, read, handle, working = () => true } = options;
  let current: Consuming | undefined;
  let closing = false;
  let lastMessageAt = 0;
  const link = keepConnected({
    url,
    log,
    name: `${worker} worker`,
    async setup(connection, lost) {
      await prepare(connection);
      const channel = await connection.createChannel();
      const came = () => (lastMessageAt = performance.now());
      const consuming = createConsuming({ channel, read, handle, maxEvents, maxAgeMs, lost, came });
      current = consuming;
      channel.on('error', (error: Error) => log.warn({ reason: error.message }, 'the consuming channel failed'));
      channel.on('close', () => {
        consuming.abandon();
        if (!closing) lost('the consuming channel closed');
      });
      connection.on('close', () => consuming.abandon());
      await consuming.start(queueOf(worker), { careful: !working() });
    },
  });
  return {
    state: () => link.state(),
    lastMessageAt: () => lastMessageAt,
    oldestSince: () => current?.oldestSince(),
    reset: (reason) => link.reset(reason),
    async close() {
      closing = true;
      await current?.stop();
      await link.close();
    },
  };
}

interface Consuming {
  /** @param careful with one message, until that one is done */
  start(queue: string, how: { careful: boolean }): Promise<void>;
  oldestSince(): number | undefined;
  /** Graceful: cancel, finish the batch in hand, close the channel. */
  stop(): Promise<void>;
  /** The channel is gone: nothing that came on it can be acknowledged any more. */
  abandon(): void;
}

/** A message that is not acknowledged yet. */
interface Taken<Read> {
  tag: number;
  read: Read;
}

/** The life of one channel. Messages never outlive it: an acknowledgement on another channel closes that one. */
function createConsuming<Read>(options: {
  channel: Channel;
  read(message: ConsumeMessage): Read;
  handle: Handle<Read>;
  maxEvents: number;
  maxAgeMs: number;
  lost: (reason: string) => void;
  came: () => number;
}): Consuming {
  const { channel, read, handle, maxEvents, maxAgeMs, lost, came } = options;
  const aborter = new AbortController();
  const acknowledging = createAcknowledging(channel);
  let gathering: Taken<Read>[] = [];
  let gatheringSince = 0;
  let timer: NodeJS.Timeout | undefined;
  /** Everything that is not acknowledged yet, and since when it has been here: batches and held messages. */
  const inHand = new Map<Promise<void>, number>();
  let batches = 0;
  let acknowledged: Promise<unknown> = Promise.resolve();
  let stopping = false;
  let tag = '';
  /** To be called when the first message is done. */
  let takeMore = (): void => {};

  const take = (message: ConsumeMessage | null): void => {
    if (!message) return lost('the broker cancelled the consumer'); // queue deleted, node lost: consume anew
    if (stopping) return;
    const now = came();
    if (gathering.length === 0) gatheringSince = now;
    gathering.push({ tag: message.fields.deliveryTag, read: read(message) });
    if (gathering.length >= maxEvents) next();
    else timer ??= setTimeout(next, maxAgeMs);
  };

  const next = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (batches === IN_HAND || gathering.length === 0 || aborter.signal.aborted || stopping) return;
    const since = gatheringSince;
    const batch = gathering.splice(0, maxEvents);
    gatheringSince = performance.now();
    batches += 1;
    let counts = true;
    const free = (): void => {
      if (!counts) return;
      counts = false;
      batches -= 1;
      next(); // what gathered meanwhile has waited long enough
    };
    const reads = batch.map((each) => each.read);
    const handled = handle(reads, aborter.signal, free).then((given) => {
      for (const done of given?.values() ?? []) done.catch(() => {}); // nobody may be left to hear of it
      return given ?? undefined;
    });
    // In order, and nothing behind a batch that failed: one `ack` stands for everything up to its message.
    const mine = Promise.all([acknowledged, handled]).then(([, held]) => acknowledge(batch, since, held));
    acknowledged = mine;
    keepInHand(mine, since, free);
  };

  const acknowledge = (batch: readonly Taken<Read>[], since: number, held: Held<Read> = new Map()): void => {
    if (aborter.signal.aborted) return;
    const kept = batch.filter((each) => held.has(each.read));
    acknowledging.acknowledge(
      batch.map(({ tag }) => tag),
      new Set(kept.map(({ tag }) => tag)),
    );
    takeMore();
    for (const { tag, read: of } of kept) {
      const done = held.get(of)?.then(() => void (aborter.signal.aborted || acknowledging.release(tag)));
      if (done) keepInHand(done, since);
    }
  };

  /** Counts as in hand until it is done; when it fails, everything that is not acknowledged is to come again. */
  const keepInHand = (work: Promise<void>, since: number, then = () => {}): void => {
    const done = work
      .catch((error: unknown) => {
        if (aborter.signal.aborted || stopping) return;
        lost(`a batch failed: ${(error as Error).message}`);
        abandon(); // what is behind it comes again too
      })
      .then(() => {
        inHand.delete(done);
        then();
      });
    inHand.set(done, since);
  };

  /** A batch that is done may leave held messages in hand. */
  const emptyHanded = async (): Promise<void> => {
    while (inHand.size > 0 && !aborter.signal.aborted) await Promise.all(inHand.keys());
  };

  const abandon = (): void => {
    aborter.abort();
    clearTimeout(timer);
    gathering = [];
  };

  return {
    async start(queue, { careful }) {
      // On a channel of its own: RabbitMQ 3.10.8 loses messages of a quorum queue when a consumer is cancelled and another
      // begins on the same channel while deliveries are on their way (rabbitmq-server#5927).
      if (careful) takeMore = () => lost('the store takes batches again: so does the worker, as many as usual');
      // What is in hand, and one batch gathering. Per consumer, never global (denied from RabbitMQ 4.3 on).
      await channel.prefetch(careful ? 1 : (IN_HAND + 1) * maxEvents, false);
      tag = (await channel.consume(queue, take, { noAck: false })).consumerTag;
    },
    oldestSince() {
      if (aborter.signal.aborted) return undefined;
      const since = [...inHand.values(), ...(gathering.length > 0 ? [gatheringSince] : [])];
      return since.length > 0 ? Math.min(...since) : undefined;
    },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      await withTimeout(channel.cancel(tag), STOP_TIMEOUT_MS).catch(() => {});
      await withTimeout(emptyHanded(), IN_HAND_TIMEOUT_MS).catch(() => {});
      abandon(); // closing the channel gives back what is left
      await withTimeout(channel.close(), STOP_TIMEOUT_MS).catch(() => {});
    },
    abandon,
  };
}
