import { deadQueueOf, declareTopology } from '@weir/bus';
import { createEvent, encodeEvent } from '@weir/events';
import { isolated, until, type Isolated } from '@weir/testing';
import { connect, type ChannelModel, type ConfirmChannel, type GetMessage } from 'amqplib';
import type { DeadLetter } from './dead-letters/letter';
import { weirDone } from './io.test-support';

export const HOUR_MS = 3_600_000;
export const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
export const names = (count: number, prefix = 'd'): string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`);
export const idsOf = (letters: readonly { id: string }[]): string[] => letters.map(({ id }) => id);
export const bodyOf = (id: string): Buffer =>
  encodeEvent(createEvent('io.weir.pull', { repository: 'a/b' }, { source: '/t', id, time: new Date(0) }));

/** A letter to be parked. */
export interface Parked {
  id: string;
  worker?: string;
  reason?: string;
  time?: string;
  headers?: Record<string, unknown>;
}

/** A virtual host of its own for each test of a file, with the whole topology, and what is done in it. */
export function inVirtualHost() {
  let broker: Isolated;
  let connection: ChannelModel;
  let channel: ConfirmChannel;

  beforeEach(async () => {
    broker = await isolated.amqp();
    connection = await connect(broker.url);
    channel = await connection.createConfirmChannel();
    await declareTopology(channel);
  });
  afterEach(async () => {
    await connection.close();
    await broker.remove();
  });

  const ready = async (queue: string) => (await channel.checkQueue(queue)).messageCount;

  /** Parks letters as a worker does, and waits until they can be seen. */
  const park = async (letters: readonly Parked[]): Promise<void> => {
    const queues = new Map<string, number>();
    for (const { id, worker = 'redis', reason = 'invalid event', time = ago(HOUR_MS), headers } of letters) {
      const about = { 'weir-worker': worker, 'weir-reason': reason, 'weir-error': `why ${id}`, 'weir-time': time };
      const queue = deadQueueOf(worker);
      channel.sendToQueue(queue, bodyOf(id), { persistent: true, messageId: id, headers: { ...about, ...headers } });
      queues.set(queue, (queues.get(queue) ?? 0) + 1);
    }
    await channel.waitForConfirms();
    for (const [queue, count] of queues) await until(async () => (await ready(queue)) >= count);
  };

  /** `weir dead-letters …` */
  const weir = async (args: string[], world: { terminal?: boolean; stdin?: string } = {}) => {
    const done = await weirDone(['dead-letters', ...args], { env: { AMQP_URL: broker.url }, ...world });
    const lines = <T>() => done.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line) as T); // prettier-ignore
    return { ...done, lines };
  };
  const listed = async (args: string[] = []) => (await weir(['list', '--letters', '--limit', '9999', ...args])).lines<DeadLetter>(); // prettier-ignore

  /** Takes everything out of a queue. */
  const drain = async (queue: string): Promise<GetMessage[]> => {
    const taken: GetMessage[] = [];
    const next = () => channel.get(queue, { noAck: true });
    for (let message = await next(); message; message = await next()) taken.push(message);
    return taken;
  };
  const idsIn = async (queue: string) => (await drain(queue)).map(({ properties }) => properties.messageId as string);

  return {
    get connection() {
      return connection;
    },
    get channel() {
      return channel;
    },
    ready, park, weir, listed, drain, idsIn,
  }; // prettier-ignore
}
