import { deadQueueOf } from '@weir/bus';
import type { ChannelModel, GetMessage } from 'amqplib';
import { replyCode } from './broker';

/** A message that a worker could never take. */
export interface DeadLetter {
  worker: string;
  /** Class of reason: `invalid event`; `delivery_limit` and the like when the broker parked it. */
  reason: string;
  /** What exactly was wrong. */
  error: string;
  /** When it was parked, RFC 3339; empty when nobody wrote it down. */
  time: string;
  /** What can be told of the event; null when the body is not a JSON object. */
  event: { id?: string; type?: string; source?: string; time?: string; data?: unknown } | null;
  /** The body when it is no JSON object, cut to 4 KiB. */
  body?: string;
  bytes: number;
}

export interface Look {
  /** Oldest first. */
  letters: DeadLetter[];
  /** How many there were to see when we looked; undefined when there is no such queue. */
  there: number | undefined;
}

/**
 * Looks at the oldest dead letters of a worker without taking them: they are fetched, not acknowledged, and given back
 * all at once. Nothing is lost when we are killed in between, for the broker then gives them back itself.
 *
 * A quorum queue with a delivery limit puts what comes back into its old place; without one, to its end (RabbitMQ,
 * "Quorum queues: repeated requeues"). Either way what is given back together stays in order.
 */
export async function peek(connection: ChannelModel, worker: string, limit: number): Promise<Look> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  const queue = deadQueueOf(worker);
  let there: number;
  try {
    there = (await channel.checkQueue(queue)).messageCount;
  } catch (error) {
    if (replyCode(error) === 404) return { letters: [], there: undefined };
    throw error;
  }
  const messages: GetMessage[] = [];
  try {
    while (messages.length < limit) {
      const message = await channel.get(queue, { noAck: false });
      if (!message) break;
      messages.push(message);
    }
  } finally {
    // nack, not reject, and not by closing: from RabbitMQ 4.3 on those two count towards a delivery limit.
    try {
      channel.nackAll(true);
      await channel.close();
    } catch {
      // The broker has closed the channel and given everything back itself.
    }
  }
  return { letters: messages.map((message) => read(message, worker)), there };
}

function read({ content, properties }: GetMessage, queueOfWorker: string): DeadLetter {
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  const header = (name: string) => (typeof headers[name] === 'string' ? (headers[name] as string) : undefined);
  const byBroker = deathOf(headers);
  const event = eventIn(content);
  return {
    worker: header('weir-worker') ?? queueOfWorker,
    reason: header('weir-reason') ?? byBroker?.reason ?? 'unknown',
    error: header('weir-error') ?? byBroker?.error ?? '',
    time: header('weir-time') ?? byBroker?.time ?? '',
    event,
    ...(event ? {} : { body: content.toString('utf8', 0, 4096) }),
    bytes: content.length,
  };
}

/** What RabbitMQ writes on a message that it parks itself: the header x-death, the latest entry first. */
function deathOf(headers: Record<string, unknown>): { reason: string; error: string; time: string } | undefined {
  const deaths = headers['x-death'];
  const death = (Array.isArray(deaths) ? deaths[0] : undefined) as Record<string, unknown> | undefined;
  if (!death || typeof death['reason'] !== 'string') return undefined;
  const seconds = (death['time'] as { value?: unknown } | undefined)?.value;
  return {
    reason: death['reason'],
    error: `parked by the broker from ${String(death['queue'])}`,
    time: typeof seconds === 'number' ? new Date(seconds * 1000).toISOString() : '',
  };
}

function eventIn(content: Buffer): DeadLetter['event'] {
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
