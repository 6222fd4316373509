import type { Channel, Message } from 'amqplib';

/** Acknowledges the messages of one channel by their delivery tags, around those that are held back. */
export interface Acknowledging {
  /** Acknowledges a batch but for what is held of it. Batches must come in the order of their delivery. */
  acknowledge(batch: readonly number[], held: ReadonlySet<number>): void;
  /** Acknowledges a message that was held. */
  release(tag: number): void;
}

/**
 * One `ack` for a whole batch stands for everything before it as well, so also for a message that is still held: it
 * would be acknowledged unparked, and be lost. So one `ack` for what is before the first held message, and one for
 * each message behind it.
 */
export function createAcknowledging(channel: Pick<Channel, 'ack'>): Acknowledging {
  const holding = new Set<number>();
  const ack = (deliveryTag: number, allUpTo: boolean) => channel.ack({ fields: { deliveryTag } } as Message, allUpTo);
  return {
    acknowledge(batch, held) {
      for (const tag of batch) if (held.has(tag)) holding.add(tag);
      const [oldest = Infinity] = holding; // in the order of their delivery
      const before = batch.filter((tag) => tag < oldest).at(-1);
      if (before !== undefined) ack(before, true);
      for (const tag of batch) if (tag > oldest && !held.has(tag)) ack(tag, false);
    },
    release(tag) {
      holding.delete(tag);
      ack(tag, false);
    },
  };
}
