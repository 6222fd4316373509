import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { CANARY, createEvent, decodeEvent, encodeEvent, type WeirEvent } from '@weir/events';
import type { Channel, ChannelModel, ConsumeMessage, Message } from 'amqplib';
import { messageOptions } from './message';
import { withTimeout } from './timeout';
import { HISTORY } from './topology';

/** An event as the history has it. */
export interface HistoryEvent {
  event: WeirEvent;
  /** The message as it was published. */
  message: Message;
  /** Its position in the history. */
  offset: number;
}

/** Events in the order of the history. */
export interface HistoryBatch {
  events: readonly HistoryEvent[];
  /** Messages that are no events: every worker parks them. */
  invalid: number;
}

/** What is kept of the past days: the stream queue `weir.history`. */
export interface History {
  /** The position of the oldest message that is still there; 0 as long as nothing has been cut off. */
  firstOffset(): Promise<number>;
  /** The position of the first message that may have arrived at that time or later; everything before it is older. */
  offsetAt(time: Date): Promise<number>;
  /**
   * Whether something is still there that arrived before `time`: then everything that has arrived since is there too,
   * because a stream is cut at its old end only.
   */
  reachesBackTo(time: Date): Promise<boolean>;
  /**
   * Puts a marker at the end of the history and resolves with its id when it is there for good. Whoever has read up to
   * it has read everything that arrived before. It goes into the history alone, past every worker.
   */
  mark(): Promise<string>;
  /** Starts to read: from the oldest message that is there, or from what arrived at that time. */
  read(from: 'first' | Date): Promise<HistoryReader>;
}

export interface HistoryReader {
  /**
   * Hands out what has not been read yet, in order, up to the marker, and can be called again for a later one. One
   * batch is out at a time, and some thousands of messages are held in memory at most. Canaries and markers are left
   * out.
   *
   * @throws Error when the connection is lost, when nothing comes for a minute, or what `take` throws.
   */
  until(marker: string, take: (batch: HistoryBatch) => Promise<void>): Promise<void>;
  /** Offset of the message that was read last; -1 before the first. */
  position(): number;
  close(): Promise<void>;
}

/** Messages that are held in memory, not yet acknowledged, at most. */
const PREFETCH = 4000;
const BATCH_EVENTS = 2000;
/** A marker is in the history before it is waited for, so something must come all the time. */
const SILENCE_MS = 60_000;
const ANSWER_MS = 30_000;

export function openHistory(connection: ChannelModel): History {
  const firstOffset = async (from: StreamStart = 'first'): Promise<number> => {
    // One message is enough to tell, and there is one: at worst the marker that is made for this.
    await mark();
    const reading = await startReading(connection, from, 1);
    try {
      return offsetOf(await reading.next());
    } finally {
      await reading.close();
    }
  };

  const mark = async (): Promise<string> => {
    const marker = createEvent(CANARY, { worker: 'history' }, { source: 'weir/history' });
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    try {
      const returned = new Promise<never>((_, reject) => {
        channel.on('return', () => reject(new Error(`there is no queue ${HISTORY}: see \`weir topology\``)));
      });
      channel.sendToQueue(HISTORY, encodeEvent(marker), { ...messageOptions(marker), mandatory: true });
      await withTimeout(Promise.race([channel.waitForConfirms(), returned]), ANSWER_MS);
    } finally {
      await withTimeout(channel.close(), ANSWER_MS).catch(() => {}); // never settles when the connection is lost meanwhile
    }
    return marker.id;
  };

  return {
    firstOffset: () => firstOffset(),
    offsetAt: (time) => firstOffset(startAt(time)),
    async reachesBackTo(time) {
      const oldest = await firstOffset();
      return (await firstOffset(startAt(time))) > oldest;
    },
    mark,
    async read(from) {
      return reader(await startReading(connection, from === 'first' ? from : startAt(from), PREFETCH));
    },
  };
}

function reader(reading: Reading): HistoryReader {
  let position = -1;
  return {
    position: () => position,
    close: reading.close,
    async until(marker, take) {
      // The next batch is decoded while the one before is taken.
      let taken: Promise<unknown> = Promise.resolve();
      for (let found = false; !found;) {
        const messages = await gather(reading, marker);
        const last = messages.at(-1) as ConsumeMessage;
        found = isMarker(last, marker);
        const batch = sorted(messages);
        await taken;
        taken = take(batch).then(() => {
          position = offsetOf(last);
          reading.done(last);
        });
        taken.catch(() => {}); // heard of when it is waited for
      }
      await taken;
    },
  };
}

/** What is there, one message at least; no more than a batch, and nothing behind the marker. */
async function gather(reading: Reading, marker: string): Promise<ConsumeMessage[]> {
  const messages: ConsumeMessage[] = [await reading.next()];
  while (!isMarker(messages.at(-1), marker) && messages.length < BATCH_EVENTS) {
    const more = reading.ready();
    if (more === undefined) break;
    messages.push(more);
  }
  return messages;
}

function sorted(messages: readonly ConsumeMessage[]): HistoryBatch {
  const events: HistoryEvent[] = [];
  let invalid = 0;
  for (const message of messages) {
    if (message.properties.type === CANARY) continue;
    const checked = decodeEvent(message.content);
    if (!checked.ok) invalid += 1;
    else if (checked.event.type !== CANARY) events.push({ event: checked.event, message, offset: offsetOf(message) });
  }
  return { events, invalid };
}

function isMarker(message: ConsumeMessage | undefined, marker: string): boolean {
  return message?.properties.type === CANARY && message.properties.messageId === marker;
}

/** `x-stream-offset` of a consumer (RabbitMQ, "Streams: consuming"): the beginning, or a POSIX time in seconds. */
type StreamStart = 'first' | { '!': 'timestamp'; value: number };

const startAt = (time: Date): StreamStart => ({
  '!': 'timestamp',
  value: Math.max(0, Math.floor(time.getTime() / 1000)),
});

const offsetOf = ({ properties }: ConsumeMessage): number => Number(properties.headers?.['x-stream-offset']);

/** One consumer of the stream, turned into something that is asked for messages. */
interface Reading {
  /** The next message, waited for. */
  next(): Promise<ConsumeMessage>;
  /** The next message, when it is here already. */
  ready(): ConsumeMessage | undefined;
  /** This message and all before it are done with: as many new ones may come. */
  done(message: ConsumeMessage): void;
  close(): Promise<void>;
}

async function startReading(connection: ChannelModel, from: StreamStart, prefetch: number): Promise<Reading> {
  const channel: Channel = await connection.createChannel();
  let waiting: ConsumeMessage[] = [];
  let read = 0;
  let wake = (): void => {};
  let broken: Error | undefined;
  const breakOff = (error: Error): void => {
    broken ??= error;
    wake();
  };
  channel.on('error', breakOff);
  channel.on('close', () => breakOff(new Error('the channel to RabbitMQ was closed while the history was read')));
  await channel.prefetch(prefetch, false);
  const consumerTag = `history-${randomUUID()}`;
  const started = channel.consume(
    HISTORY,
    (message) => {
      if (message) waiting.push(message);
      else breakOff(new Error(`RabbitMQ ended the reading of ${HISTORY}: was the queue deleted?`));
      wake();
    },
    { consumerTag, noAck: false, arguments: { 'x-stream-offset': from } },
  );
  const end = async (): Promise<void> => {
    const closed = once(channel, 'close').catch(() => {});
    // RabbitMQ 3.10 keeps what it knows of a stream's consumer when its channel closes, but not when it is cancelled.
    await channel.cancel(consumerTag);
    await Promise.all([channel.close(), closed]);
  };
  try {
    await withTimeout(started, ANSWER_MS);
  } catch (error) {
    end().catch(() => {}); // the answer may come after all, and nobody would end that consumer
    throw error;
  }

  const ready = (): ConsumeMessage | undefined => {
    const message = waiting[read];
    if (message === undefined) return undefined;
    read += 1;
    if (read === waiting.length) [waiting, read] = [[], 0];
    return message;
  };
  return {
    ready,
    async next() {
      for (;;) {
        const message = ready();
        if (message) return message;
        if (broken) throw broken;
        const woken = new Promise<void>((resolve) => (wake = resolve));
        await withTimeout(woken, SILENCE_MS).catch(() => {
          throw new Error(`nothing came from ${HISTORY} for ${SILENCE_MS / 1000} s`);
        });
      }
    },
    done: (message) => channel.ack(message, true),
    async close() {
      if (broken) return;
      await withTimeout(end(), ANSWER_MS).catch(() => {});
    },
  };
}
