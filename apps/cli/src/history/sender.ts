import { once, EventEmitter } from 'node:events';
import type { ChannelModel, Options } from 'amqplib';

/** One queue, sent to by name. */
export interface QueueSender {
  /** Sends one message; waits when too many are not confirmed yet. @throws when an earlier one was refused */
  send(body: Buffer, options: Options.Publish): Promise<void>;
  /** Resolves when everything that was sent is confirmed. @throws when anything was refused */
  settled(): Promise<void>;
  confirmed(): number;
  close(): Promise<void>;
}

/** Messages on their way that the broker has not confirmed, at most. */
const WINDOW = 2000;

/** Streams confirms: many are on their way at one time, and each is heard of. */
export async function openQueue(connection: ChannelModel, queue: string): Promise<QueueSender> {
  const channel = await connection.createConfirmChannel();
  const changed = new EventEmitter();
  let [inFlight, confirmed] = [0, 0];
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    changed.emit('change');
  };
  channel.on('error', fail);
  channel.on('close', () => fail(new Error('the channel to RabbitMQ was closed')));
  channel.on('return', () => fail(new Error(`the queue ${queue} is gone`)));

  const atMost = async (messages: number): Promise<void> => {
    while (!failure && inFlight > messages) await once(changed, 'change');
    if (failure) throw failure;
  };
  return {
    async send(body, options) {
      await atMost(WINDOW - 1);
      inFlight += 1;
      channel.sendToQueue(queue, body, { ...options, mandatory: true }, (error: unknown) => {
        inFlight -= 1;
        if (error) fail(new Error(`RabbitMQ refuses more messages in ${queue}: it is full`));
        else confirmed += 1;
        changed.emit('change');
      });
    },
    settled: () => atMost(0),
    confirmed: () => confirmed,
    async close() {
      channel.removeAllListeners('close');
      await channel.close().catch(() => {}); // gone already
    },
  };
}
