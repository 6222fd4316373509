import { randomUUID } from 'node:crypto';
import { connect, type ConsumeMessage } from 'amqplib';

/** An event as it went over the bus. */
export interface PublishedEvent {
  id: string;
  type: string;
  data: {
    repository?: string;
    platform?: string;
    kind?: string;
    /** Of a download: the pull's id. */
    pull?: string;
    user?: { organization?: string };
  };
}

/** Reads everything that is published, in a queue of its own. */
export interface Published {
  /** All events since the last call, in order; resolves when whatever was confirmed before this one has been read. */
  take(): Promise<readonly PublishedEvent[]>;
  close(): Promise<void>;
}

/** The one thing of the bus that a publisher or reader of one's own has to know (docs/architecture.md). */
const EXCHANGE = 'weir.events';
const QUEUE = 'matrix';

export async function readPublished(amqp: string): Promise<Published> {
  const connection = await connect(amqp, { timeout: 10_000 });
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('weir.unrouted', 'fanout', { durable: true });
  await channel.assertExchange(EXCHANGE, 'fanout', { durable: true, alternateExchange: 'weir.unrouted' });
  await channel.assertQueue(QUEUE, { exclusive: true, durable: false });
  await channel.bindQueue(QUEUE, EXCHANGE, '');
  let events: PublishedEvent[] = [];
  const marks = new Map<string, () => void>();
  const read = (message: ConsumeMessage | null): void => {
    if (!message) return;
    const mark = marks.get(message.content.toString());
    if (mark) mark();
    else events.push(JSON.parse(message.content.toString()) as PublishedEvent);
  };
  await channel.consume(QUEUE, read, { noAck: true });

  return {
    async take() {
      // A mark goes into the same queue behind everything that is in it: when it has come out, so has that.
      const mark = randomUUID();
      const seen = new Promise<void>((resolve) => void marks.set(mark, resolve));
      channel.sendToQueue(QUEUE, Buffer.from(mark));
      await seen;
      marks.delete(mark);
      const taken = events;
      events = [];
      return taken;
    },
    close: () => connection.close(),
  };
}
