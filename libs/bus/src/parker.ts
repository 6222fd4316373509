import type { Sender } from './sender';
import { deadQueueOf } from './topology';

/** Why a message rests among the dead letters; carried as AMQP headers `weir-worker`, `weir-reason`, … */
export interface DeadLetter {
  worker: string;
  /** A short class of reason, fit for a table and a metric: `invalid event`, `refused by the store`. */
  reason: string;
  /** What exactly was wrong. */
  error: string;
}

/** A message as it came: what is parked is that, not what was made of it. */
export interface Parkable {
  body: Buffer;
  messageId?: string;
  type?: string;
}

/**
 * Puts a message among the dead letters of its worker; resolves when the broker has confirmed it there.
 *
 * @throws as {@link Sender.send} does. It may rest there all the same, and a second time after another call: a dead
 *   letter is known by its message's identity, not by its number.
 */
export function park(sender: Sender, message: Parkable, { worker, reason, error }: DeadLetter): Promise<void> {
  const { body, messageId, type } = message;
  const headers = {
    'weir-worker': worker,
    'weir-reason': reason,
    'weir-error': error.slice(0, 2000),
    'weir-time': new Date().toISOString(),
  };
  const basic = { ...(messageId ? { messageId } : {}), ...(type ? { type } : {}) };
  const options = { persistent: true, mandatory: true, headers, ...basic };
  return sender.send({ exchange: '', routingKey: deadQueueOf(worker), body, options });
}
