import { WORKERS, deadQueueOf, keepConnected, queueOf } from '@weir/bus';
import type { LinkOptions } from '@weir/bus';
import type { Waiting } from './flow';

/** Asks the broker how much waits in each worker's queue. Declares nothing: it only looks. */
export interface QueueWatch {
  /** Undefined while the broker cannot be asked. */
  waiting(): Promise<Waiting | undefined>;
  close(): Promise<void>;
}

/** Connects to the broker in the background, for ever. */
export function watchQueues(url: string, log: LinkOptions['log']): QueueWatch {
  let look: ((queue: string) => Promise<number>) | undefined;
  const link = keepConnected({
    url,
    name: 'weir quick start',
    log,
    async setup(connection, lost) {
      const channel = await connection.createChannel();
      channel.on('error', () => {}); // `close` follows
      channel.on('close', () => lost('the channel was closed'));
      look = async (queue) => (await channel.checkQueue(queue)).messageCount;
    },
  });
  return {
    async waiting() {
      const ask = look;
      if (link.state() !== true || !ask) return undefined;
      try {
        const depths = await Promise.all(WORKERS.map(async (worker) => [worker, await ask(queueOf(worker))] as const));
        const dead = await Promise.all(WORKERS.map((worker) => ask(deadQueueOf(worker))));
        return { queues: Object.fromEntries(depths), deadLetters: dead.reduce((sum, depth) => sum + depth, 0) };
      } catch {
        return undefined; // the link makes itself anew
      }
    },
    close: () => link.close(),
  };
}
