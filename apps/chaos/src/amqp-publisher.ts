import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import type { SentEvent } from './events';
import { pause } from './wait';

/**
 * A publisher of the suite's own, on plain amqplib: mandatory, persistent, with confirms; it knows the exchange and
 * nothing else of Weir. It reconnects for ever.
 */
export interface AmqpPublisher {
  /** True when the broker has confirmed it and has not returned it as unroutable; false when nobody knows. */
  publish(event: SentEvent): Promise<boolean>;
  close(): Promise<void>;
}

const EXCHANGE = 'weir.events';
const CONFIRM_TIMEOUT_MS = 10_000;
const RECONNECT_MS = 200;

export function createAmqpPublisher(url: string): AmqpPublisher {
  const withHeartbeat = new URL(url);
  withHeartbeat.searchParams.set('heartbeat', '4');
  const unconfirmed = new Map<symbol, (confirmed: boolean) => void>();
  const returned = new Set<string>();
  let channel: ConfirmChannel | undefined;
  let connection: ChannelModel | undefined;
  let closing = false;

  const lose = (): void => {
    channel = undefined;
    for (const settle of [...unconfirmed.values()]) settle(false);
  };

  /** RabbitMQ 3.10 may refuse for ever on a channel whose queue has lost its leader; a new one is served. */
  const renew = (refusing: ConfirmChannel): void => {
    if (channel !== refusing) return;
    lose();
    connection?.close().catch(() => {});
  };

  const open = async (): Promise<void> => {
    const made = await connect(withHeartbeat.toString(), { timeout: 3_000 });
    connection = made;
    // The end of one that has been replaced may come late: it is not the end of its successor.
    const lost = (): void => void (connection === made && lose());
    made.on('error', () => {});
    made.on('close', lost);
    const opened = await made.createConfirmChannel();
    opened.on('error', () => {});
    opened.on('close', lost);
    opened.on('return', (message: { properties: { messageId?: string } }) =>
      returned.add(message.properties.messageId ?? ''),
    );
    channel = opened;
  };

  const run = async (): Promise<void> => {
    while (!closing) {
      if (!channel) {
        await connection?.close().catch(() => {});
        await open().catch(() => {});
      }
      await pause(RECONNECT_MS);
    }
  };
  const running = run();

  return {
    publish: (event) =>
      new Promise((resolve) => {
        const mine = Symbol(event.id);
        const messageId = `${event.source} ${event.id}`.slice(-255);
        const settle = (confirmed: boolean): void => {
          if (!unconfirmed.delete(mine)) return;
          clearTimeout(timer);
          // The return comes before the confirm, on the same channel.
          resolve(!returned.delete(messageId) && confirmed);
        };
        const timer = setTimeout(() => {
          settle(false);
          lose();
          connection?.close().catch(() => {});
        }, CONFIRM_TIMEOUT_MS);
        unconfirmed.set(mine, settle);
        const options = { messageId, type: event.type, persistent: true, mandatory: true, contentType: 'application/cloudevents+json' }; // prettier-ignore
        try {
          // Not at once: somebody who tries again and again would keep the event loop from ever connecting.
          if (!channel) return void setTimeout(() => settle(false), RECONNECT_MS);
          const used = channel;
          used.publish(EXCHANGE, '', Buffer.from(JSON.stringify(event)), options, (error: unknown) => {
            settle(!error);
            if (error) renew(used);
          });
        } catch {
          settle(false);
        }
      }),
    async close() {
      closing = true;
      lose();
      await running;
      await Promise.race([connection?.close().catch(() => {}), pause(1_000)]);
    },
  };
}
