import { park, type Parkable, type Sender } from '@weir/bus';
import { backoff } from '@weir/service';
import type { ConsumeMessage } from 'amqplib';
import type { Logger } from 'pino';
import type { WorkerMetrics } from './metrics';
import { pauseUnless, RETRY, unless } from './retry';

/**
 * A message as it came. Its bytes as a text, one character each: a piece of what the socket gave would keep all of that
 * in memory, and it outside of what V8 counts.
 */
export interface Original {
  bytes: string;
  messageId: string | undefined;
  type: string | undefined;
  headers: Parkable['headers'] | undefined;
}

export function originalOf({ content, properties }: ConsumeMessage): Original {
  const { messageId, type, headers } = properties as Pick<Original, 'messageId' | 'type' | 'headers'>;
  return { bytes: content.toString('latin1'), messageId, type, headers };
}

/** A message that will rest among the dead letters. */
export interface Letter {
  original: Original;
  reason: 'invalid event' | 'refused by the store';
  error: string;
}

export interface Parking {
  /**
   * Resolves when the broker has confirmed the dead letter, however long that takes: the message must stay
   * unacknowledged until then. Rejects when nobody can use it any more, `lost` or stopped.
   */
  park(letter: Letter, lost: AbortSignal): Promise<void>;
  /** How many wait to be parked. */
  waiting(): number;
}

interface Waiting {
  letter: Letter;
  lost: AbortSignal;
  resolve(): void;
  reject(error: Error): void;
}

/** How many are sent at one time. */
const AT_ONCE = 64;

/**
 * Parks letters one handful after the other, beside the batches: while the broker blocks publishers a letter can only
 * wait, and its batch must not wait with it. There are never more than the consumer's prefetch.
 */
export function createParking(options: {
  worker: string;
  sender: Sender;
  log: Logger;
  counted: WorkerMetrics;
  stopped: () => boolean;
}): Parking {
  const { worker, sender, log, counted, stopped } = options;
  let waiting: Waiting[] = [];
  let running = false;

  const attempt = async (each: Waiting): Promise<boolean> => {
    const { letter, lost, resolve, reject } = each;
    if (lost.aborted) return (reject(new Error('the connection is lost')), true);
    try {
      // Its confirm may be hours away: what has been sent when an alarm begins is read when it is over.
      await unless(() => stopped() && sender.state() !== true, send(letter));
    } catch (error) {
      if (stopped()) reject(error as Error);
      return stopped();
    }
    counted.parked.inc();
    resolve();
    return true;
  };

  const send = ({ original, reason, error }: Letter): Promise<void> => {
    const { bytes, messageId, type, headers } = original;
    const came = { ...(messageId ? { messageId } : {}), ...(type ? { type } : {}), ...(headers ? { headers } : {}) };
    return park(sender, { body: Buffer.from(bytes, 'latin1'), ...came }, { worker, reason, error });
  };

  const run = async (): Promise<void> => {
    let pauses = backoff(RETRY);
    while (waiting.length > 0) {
      const some = waiting.splice(0, AT_ONCE);
      const done = await Promise.all(some.map(attempt));
      const left = some.filter((_, index) => !done[index]);
      waiting = [...left, ...waiting];
      if (left.length === 0) pauses = backoff(RETRY);
      else {
        counted.retries.inc();
        await pauseUnless(stopped, pauses.next());
      }
    }
    running = false;
  };

  return {
    waiting: () => waiting.length,
    park(letter, lost) {
      const { original, reason, error } = letter;
      log.warn({ id: original.messageId, reason, error }, 'cannot be taken: parking it');
      return new Promise((resolve, reject) => {
        waiting.push({ letter, lost, resolve, reject });
        if (!running) void run();
        running = true;
      });
    },
  };
}
