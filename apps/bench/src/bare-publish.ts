import { declareTopology, EXCHANGE, messageOptions, queueOf, WORKERS } from '@weir/bus';
import { encodeEvent, type WeirEvent } from '@weir/events';
import { connect } from 'amqplib';
import type { Bench } from './case';
import { keepInFlight } from './in-flight';

/** A broker of the case's own, and what publishes to it doing nothing else. */
export interface BarePublish {
  amqp: string;
  /** Publishes all of them with confirms, so many unconfirmed at a time. */
  publish(messages: readonly Message[], unconfirmed: number): Promise<void>;
  /** Nobody takes what is published: it is thrown away between two rounds. */
  purge(): Promise<void>;
}

export interface Message {
  body: Buffer;
  options: ReturnType<typeof messageOptions>;
}

/** Encoded beforehand: the limit is what client and broker can do. */
export const messageOf = (event: WeirEvent): Message => ({ body: encodeEvent(event), options: messageOptions(event) });

/** With Weir's whole topology: each message goes to all queues. */
export async function barePublish(bench: Bench, name: string): Promise<BarePublish> {
  const rabbitmq = await bench.servers.rabbitmq();
  const amqp = await rabbitmq.addVhost(name);
  bench.onEnd(() => rabbitmq.deleteVhost(name));
  const connection = await connect(amqp, { noDelay: true });
  bench.onEnd(() => connection.close());
  const channel = await connection.createConfirmChannel();
  await declareTopology(channel);
  return {
    amqp,
    publish: (messages, unconfirmed) =>
      keepInFlight(messages.length, unconfirmed, (n, done) => {
        const { body, options } = messages[n] as Message;
        channel.publish(EXCHANGE, '', body, options, done);
      }),
    async purge() {
      for (const worker of WORKERS) await channel.purgeQueue(queueOf(worker));
    },
  };
}
