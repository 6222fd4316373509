import type { Channel, ConsumeMessage } from 'amqplib';

/** Acknowledges the messages of one channel, around those that are held back. */
export interface Acknowledging {
  /** Acknowledges a batch but for what is held of it. Batches must come in the order of their delivery. */
  acknowledge(batch: readonly ConsumeMessage[], held: { has(message: ConsumeMessage): boolean }): void;
  /** Acknowledges a message that was held. */
  release(message: ConsumeMessage): void;
}

/**
 * One `ack` for a whole batch stands for everything before it as well, so also for a message that is still held: it
 * would be acknowledged unparked, and be lost. So one `ack` for what is before the first held message, and one for
 * each message behind it.
 */
export function createAcknowledging(channel: Pick<Channel, 'ack'>): Acknowledging {
  const holding = new Set<ConsumeMessage>();
  return {
    acknowledge(batch, held) {
      for (const message of batch) if (held.has(message)) holding.add(message);
      const [first] = holding; // in the order of their delivery
      const oldest = first ? tagOf(first) : Infinity;
      const before = batch.filter((message) => tagOf(message) < oldest).at(-1);
      if (before) channel.ack(before, true);
      for (const message of batch) if (tagOf(message) > oldest && !held.has(message)) channel.ack(message, false);
    },
    release(message) {
      holding.delete(message);
      channel.ack(message, false);
    },
  };
}

const tagOf = ({ fields }: ConsumeMessage): number => fields.deliveryTag;
