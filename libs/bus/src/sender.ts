import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import type { Logger } from 'pino';
import { keepConnected } from './link';
import { withTimeout } from './timeout';

/**
 * A worker's way to publish: its dead letters, its canaries and its answers to those. On a connection of its own: an
 * alarm of the broker blocks publishing connections, and must not stop the acknowledgements of a worker (reference
 * reliability A.2, "Alarms").
 */
export interface Sender {
  /** True when what is sent would go out; otherwise why not. */
  state(): true | string;
  /**
   * Resolves when the broker has confirmed the message. What is sent while the broker blocks publishers is refused at
   * once, and not sent later either; what it had been given before may be confirmed when the alarm is over.
   *
   * @throws when it is not connected, blocked, refused, or given back because there was no such queue (`mandatory`).
   *   After an error the message may have arrived all the same.
   */
  send(message: Outgoing): Promise<void>;
  close(): Promise<void>;
}

export interface Outgoing {
  exchange: string;
  routingKey: string;
  body: Buffer;
  options: Options.Publish;
}

export interface SenderOptions {
  url: string;
  /** Shown in the broker's list of connections. */
  name: string;
  log: Logger;
  /** Declares what is sent to; runs on every new connection. */
  prepare(connection: ChannelModel): Promise<unknown>;
  /** An answer to a message that was sent with `replyTo: REPLY_TO`, by the `correlationId` of that message. */
  answered?(correlationId: string): void;
  /** A new connection: what was sent on the last one is answered no more. */
  connected?(): void;
}

/**
 * RabbitMQ's direct reply-to: no queue, the answer comes on the channel that has asked
 * (https://www.rabbitmq.com/docs/direct-reply-to). The broker puts a name behind it that leads there.
 */
export const REPLY_TO = 'amq.rabbitmq.reply-to';

const CONFIRM_TIMEOUT_MS = 10_000;
/** So many refusals of one exchange in a row, and it is tried on a new channel. */
const REFUSALS = 3;
const GOODBYE_MS = 2000;

export function createSender(options: SenderOptions): Sender {
  const { url, name, log, prepare, answered, connected } = options;
  let channel: ConfirmChannel | undefined;
  let blocked: string | undefined;
  let closing = false;
  let sent = 0;
  /** By exchange: what goes to one queue is taken while another of the fanout is full. */
  const refusals = new Map<string, number>();
  /** Messages that the broker gave back, for there was no queue; it confirms them all the same, right behind. */
  const returned = new Set<string>();
  const link = keepConnected({
    url,
    log,
    name,
    async setup(connection, lost) {
      blocked = undefined;
      connection.on('blocked', (reason: string) => {
        blocked = `the broker blocks publishers: ${reason}`;
        log.warn({ reason, link: name }, 'the broker blocks publishers');
      });
      connection.on('unblocked', () => (blocked = undefined));
      connection.on('close', () => (blocked = undefined));
      await prepare(connection);
      const opened = await connection.createConfirmChannel();
      opened.on('error', (error: Error) => log.warn({ reason: error.message, link: name }, 'a channel failed'));
      opened.on('return', ({ properties }) => returned.add(String(properties.correlationId)));
      opened.on('close', () => {
        if (channel === opened) channel = undefined;
        if (!closing) lost('the sending channel closed');
      });
      if (answered)
        await opened.consume(REPLY_TO, (answer) => answered(String(answer?.properties.correlationId)), { noAck: true });
      returned.clear();
      channel = opened;
      connected?.();
    },
  });

  const state = (): true | string => blocked ?? link.state();

  /** Ends the connection when a confirm is late, for its peer may be gone. While it is blocked none can come. */
  const watchConfirm = (): (() => void) => {
    const timer = setInterval(() => {
      if (blocked === undefined) link.reset('a confirm is late');
    }, CONFIRM_TIMEOUT_MS);
    return () => clearInterval(timer);
  };

  return {
    state,
    async send({ exchange, routingKey, body, options }) {
      const usable = channel;
      if (!usable || blocked !== undefined) throw new Error(String(state()));
      // Told apart by this when the broker gives it back: of one event there may be two at a time.
      const correlationId = String(options.correlationId ?? (sent += 1));
      const confirmed = watchConfirm();
      try {
        await new Promise<void>((resolve, reject) => {
          usable.publish(exchange, routingKey, body, { ...options, correlationId }, (refused: unknown) =>
            refused ? reject(new Error('the broker refused it or is gone')) : resolve(),
          );
        });
        refusals.delete(exchange);
      } catch (error) {
        const count = (refusals.get(exchange) ?? 0) + 1;
        refusals.set(exchange, count);
        // A full queue whose limit goes: RabbitMQ 3.10 never tells the channel it refused that there is room again.
        if (count % REFUSALS === 0 && channel === usable) link.reset('the broker keeps refusing');
        throw error;
      } finally {
        confirmed();
      }
      if (!returned.delete(correlationId)) return;
      link.reset(`the queue ${routingKey} is gone`); // and is declared on the next connection
      throw new Error(`the queue ${routingKey} is gone`);
    },
    async close() {
      closing = true;
      const last = channel;
      channel = undefined;
      // Closing the connection overtakes what the channel still writes: the channel first (reference A.3, L1).
      // One that is blocked would not answer.
      if (last && blocked === undefined) await withTimeout(last.close(), GOODBYE_MS).catch(() => {});
      await link.close();
    },
  };
}
