import type { ConfirmChannel } from 'amqplib';
import type { Logger } from 'pino';
import { keepConnected } from './link';
import { withTimeout } from './timeout';
import { deadQueueOf, declareTopology, workersWith } from './topology';

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
  let reset: (reason: string) => void = () => {};
  let sent = 0;
  /** Letters that the broker gave back, for there was no queue; it confirms them all the same, right behind. */
  const returned = new Set<string>();
  const link = keepConnected({
    url,
    log,
    name: `${name} dead letters`,
    async setup(connection, lost) {
      const opened = await connection.createConfirmChannel();
      opened.on('error', (error: Error) => log.warn({ reason: error.message }, 'the channel of dead letters failed'));
      opened.on('return', ({ properties }) => returned.add(String(properties.correlationId)));
      opened.on('close', () => {
        if (channel === opened) channel = undefined;
        lost('the channel of the dead letters closed');
      });
      await declareTopology(opened, workersWith(name));
      channel = opened;
      reset = lost;
    },
  });

  const publish = async (
    { body, messageId, type }: Parameters<Parker['park']>[0],
    { worker, reason, error }: DeadLetter,
  ): Promise<void> => {
    const correlationId = String((sent += 1));
    const headers = {
      'weir-worker': worker,
      'weir-reason': reason,
      'weir-error': error.slice(0, 2000),
      'weir-time': new Date().toISOString(),
    };
    const basic = { correlationId, ...(messageId ? { messageId } : {}), ...(type ? { type } : {}) };
    const options = { persistent: true, mandatory: true, headers, ...basic };
    await new Promise<void>((resolve, reject) => {
      if (!channel) throw new Error(`dead letters cannot be parked: ${String(link.state())}`);
      channel.publish('', deadQueueOf(worker), body, options, (refused: unknown) =>
        refused ? reject(new Error('the broker refused a dead letter')) : resolve(),
      );
    });
    if (!returned.delete(correlationId)) return;
    reset('the queue of the dead letters is gone'); // and is declared on the next connection
    throw new Error(`the queue ${deadQueueOf(worker)} is gone`);
  };

  return {
    park: (message, letter) => withTimeout(publish(message, letter), CONFIRM_TIMEOUT_MS),
    close: () => link.close(),
  };
}
