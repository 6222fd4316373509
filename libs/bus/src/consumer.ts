import type { Channel, ConsumeMessage } from 'amqplib';
import type { Logger } from 'pino';
import { keepConnected } from './link';
import { withTimeout } from './timeout';
import { declareTopology, queueOf, workersWith } from './topology';

/** What the consumer hands on: the messages of one batch, oldest first. */
export type Handle = (batch: readonly ConsumeMessage[], signal: AbortSignal) => Promise<void>;

export interface Consumer {
  /** True while consuming; otherwise why not. A connection without a consumer is not ready. */
  state(): true | string;
  /** Stops taking, waits some seconds for the batches in hand, gives the rest back to the queue. */
  close(): Promise<void>;
}

export interface ConsumerOptions {
  url: string;
  worker: string;
  log: Logger;
  /** A batch is handed on when it has this many events … */
  maxEvents: number;
  /** … or when its first event has waited this long, milliseconds. While batches are in hand the next one gathers. */
  maxAgeMs: number;
  /**
   * Resolves when every message of the batch may be acknowledged; the consumer then acknowledges them with one
   * `ack`. When it rejects, the connection is given up and the broker delivers again. `signal` aborts when the batch
   * can no longer be acknowledged (connection lost, closing): what is still undone may be dropped.
   */
  handle: Handle;
}

/** Batches in hand at one time: while the store has the first, the second can be read and sorted. */
const IN_HAND = 2;
/** How long the broker may take to stop delivering; one that has fallen silent must not keep a worker from ending. */
const STOP_TIMEOUT_MS = 2000;
/** How long closing waits for the batches in hand. A store that hangs keeps them: the broker delivers them again. */
const IN_HAND_TIMEOUT_MS = 8000;

/** Consumes a worker's queue in batches, for ever. Batches are acknowledged in the order in which they came. */
export function createConsumer(options: ConsumerOptions): Consumer {
  const { url, worker, log, maxEvents, maxAgeMs, handle } = options;
  let current: Consuming | undefined;
  let closing = false;
  const link = keepConnected({
    url,
    log,
    name: `${worker} worker`,
    async setup(connection, lost) {
      const channel = await connection.createChannel();
      const consuming = createConsuming({ channel, handle, maxEvents, maxAgeMs, lost });
      current = consuming;
      channel.on('error', (error: Error) => log.warn({ reason: error.message }, 'the consuming channel failed'));
      channel.on('close', () => {
        consuming.abandon();
        if (!closing) lost('the consuming channel closed');
      });
      connection.on('close', () => consuming.abandon());
      await declareTopology(channel, workersWith(worker));
      // What is in hand and one batch gathering. Per consumer, never global (denied from RabbitMQ 4.3 on).
      await channel.prefetch((IN_HAND + 1) * maxEvents, false);
      await consuming.start(queueOf(worker));
    },
  });
  return {
    state: () => link.state(),
    async close() {
      closing = true;
      await current?.stop();
      await link.close();
    },
  };
}

interface Consuming {
  start(queue: string): Promise<void>;
  /** Graceful: cancel, finish the batch in hand, close the channel. */
  stop(): Promise<void>;
  /** The channel is gone: nothing that came on it can be acknowledged any more. */
  abandon(): void;
}

/** The life of one channel. Messages never outlive it: an acknowledgement on another channel closes that one. */
function createConsuming(options: {
  channel: Channel;
  handle: Handle;
  maxEvents: number;
  maxAgeMs: number;
  lost: (reason: string) => void;
}): Consuming {
  const { channel, handle, maxEvents, maxAgeMs, lost } = options;
  const aborter = new AbortController();
  let gathering: ConsumeMessage[] = [];
  let timer: NodeJS.Timeout | undefined;
  const inHand = new Set<Promise<void>>();
  let acknowledged: Promise<unknown> = Promise.resolve();
  let stopping = false;
  let tag = '';

  const take = (message: ConsumeMessage | null): void => {
    if (!message) return lost('the broker cancelled the consumer'); // queue deleted, node lost: consume anew
    if (stopping) return;
    gathering.push(message);
    if (gathering.length >= maxEvents) next();
    else timer ??= setTimeout(next, maxAgeMs);
  };

  const next = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (inHand.size === IN_HAND || gathering.length === 0 || aborter.signal.aborted || stopping) return;
    const batch = gathering.splice(0, maxEvents);
    const handled = handle(batch, aborter.signal);
    // In order, and nothing behind a batch that failed: one `ack` stands for everything up to its message.
    acknowledged = Promise.all([acknowledged, handled]).then(() => acknowledge(batch));
    const done = acknowledged
      .catch((error: unknown) => {
        if (aborter.signal.aborted || stopping) return;
        lost(`a batch failed: ${(error as Error).message}`);
        abandon(); // what is behind it comes again too
      })
      .then(() => {
        inHand.delete(done);
        next(); // what gathered meanwhile has waited long enough
      });
    inHand.add(done);
  };

  const acknowledge = (batch: readonly ConsumeMessage[]): void => {
    const last = batch.at(-1);
    if (last && !aborter.signal.aborted) channel.ack(last, true);
  };

  const abandon = (): void => {
    aborter.abort();
    clearTimeout(timer);
    gathering = [];
  };

  return {
    async start(queue) {
      tag = (await channel.consume(queue, take, { noAck: false })).consumerTag;
    },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      await withTimeout(channel.cancel(tag), STOP_TIMEOUT_MS).catch(() => {});
      await withTimeout(Promise.all(inHand), IN_HAND_TIMEOUT_MS).catch(() => {});
      abandon(); // closing the channel gives back what is left
      await withTimeout(channel.close(), STOP_TIMEOUT_MS).catch(() => {});
    },
    abandon,
  };
}
