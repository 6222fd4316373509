import type { ConfirmChannel } from 'amqplib';
import type { Logger } from 'pino';
import { keepConnected } from './link';
import { deadQueueOf } from './topology';

/** Why a message rests among the dead letters; carried as AMQP headers `weir-worker`, `weir-reason`, … */
export interface DeadLetter {
  worker: string;
  /** A short class of reason, fit for a table and a metric: `invalid event`, `refused by the store`. */
  reason: string;
  /** What exactly was wrong. */
  error: string;
}

export interface Parker {
  /** Resolves when the broker has confirmed the dead letter; body and identity are kept as they came. */
  park(message: { body: Buffer; messageId?: string; type?: string }, letter: DeadLetter): Promise<void>;
  close(): Promise<void>;
}

const CONFIRM_TIMEOUT_MS = 10_000;

/**
 * Publishes to the dead letters, on a connection of its own: an alarm on the broker blocks publishing connections,
 * and must not stop the acknowledgements of a worker (reference reliability A.2, "Alarms").
 */
export function createParker({ url, log, name }: { url: string; log: Logger; name: string }): Parker {
  let channel: ConfirmChannel | undefined;
  const link = keepConnected({
    url,
    log,
    name: `${name} dead letters`,
    async setup(connection, lost) {
      const opened = await connection.createConfirmChannel();
      opened.on('error', () => {});
      opened.on('close', () => {
        channel = undefined;
        lost('the channel of the dead letters closed');
      });
      channel = opened;
    },
  });
  return {
    park({ body, messageId, type }, { worker, reason, error }) {
      return new Promise((resolve, reject) => {
        if (!channel) return reject(new Error(`dead letters cannot be parked: ${String(link.state())}`));
        const timer = setTimeout(
          () => reject(new Error('the broker did not confirm a dead letter')),
          CONFIRM_TIMEOUT_MS,
        );
        const headers = {
          'weir-worker': worker,
          'weir-reason': reason,
          'weir-error': error.slice(0, 2000),
          'weir-time': new Date().toISOString(),
        };
        const basic = { ...(messageId ? { messageId } : {}), ...(type ? { type } : {}) };
        channel.publish('', deadQueueOf(worker), body, { persistent: true, headers, ...basic }, (failed: unknown) => {
          clearTimeout(timer);
          if (failed) reject(new Error('the broker refused a dead letter'));
          else resolve();
        });
      });
    },
    close: () => link.close(),
  };
}
