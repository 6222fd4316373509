import type { Channel, Options } from 'amqplib';

/** The fanout exchange that every publisher knows, and the only thing of the bus that it knows. */
export const EXCHANGE = 'weir.events';
/** Catches what no queue would take: an alternate exchange and its queue. */
export const UNROUTED = 'weir.unrouted';
/** A stream queue with the last days of events, for replay and rebuilding. */
export const HISTORY = 'weir.history';
/** The workers that Weir ships; a further worker declares its own queue beside theirs. */
export const WORKERS: readonly string[] = ['redis', 'influx', 'mongo'];

/**
 * Workers of which one instance consumes at a time, the others standing by: two influx-workers writing one millisecond
 * could not see each other's points (docs/decisions/0002).
 */
const SINGLE_ACTIVE: ReadonlySet<string> = new Set(['influx']);

/** Weir's workers and, where it is not one of them, this further one. */
export const workersWith = (worker: string): readonly string[] =>
  WORKERS.includes(worker) ? WORKERS : [...WORKERS, worker];

/** The queue of one worker. Never shared between workers: on a fanout they would compete (reference gateways 3.3). */
export const queueOf = (worker: string): string => `weir.${worker}`;
/** Where a worker's events rest that it can never take, each with its reason. */
export const deadQueueOf = (worker: string): string => `weir.dead.${worker}`;

export interface QueueDeclaration {
  name: string;
  options: Options.AssertQueue;
  /** The exchange that it is bound to; none for dead letters, which are published to by name. */
  boundTo?: string;
}

export interface Topology {
  exchanges: { name: string; type: 'fanout'; options: Options.AssertExchange }[];
  queues: QueueDeclaration[];
}

const quorum = { 'x-queue-type': 'quorum' };

/**
 * What rests and is only looked at may be looked at for ever: RabbitMQ 4 drops a message after 20 returns where no
 * limit is given, and without one RabbitMQ 3.10 puts a returned message at the end of the queue.
 */
const resting = { ...quorum, 'x-delivery-limit': 2 ** 31 - 1 };

/**
 * All of Weir's exchanges, queues and bindings. Every publisher and worker declares the whole of it identically:
 * RabbitMQ refuses the same name with other arguments (406), and a confirmed event that met no queue would be lost
 * (reference reliability A.2, A.4). What operators want to tune goes into policies, not into these arguments.
 *
 * Works on RabbitMQ 3.10 to 4.x: no lazy mode, no transient queue, no global prefetch.
 */
export function topology(workers: readonly string[] = WORKERS): Topology {
  return {
    exchanges: [
      { name: UNROUTED, type: 'fanout', options: { durable: true } },
      { name: EXCHANGE, type: 'fanout', options: { durable: true, alternateExchange: UNROUTED } },
    ],
    queues: [
      { name: UNROUTED, boundTo: UNROUTED, options: { durable: true, arguments: resting } },
      ...workers.flatMap(queuesOf),
      {
        name: HISTORY,
        boundTo: EXCHANGE,
        options: {
          durable: true,
          arguments: {
            'x-queue-type': 'stream',
            'x-max-age': '7D',
            'x-max-length-bytes': 20 * 1024 ** 3,
            'x-stream-max-segment-size-bytes': 64 * 1024 ** 2,
          },
        },
      },
    ],
  };
}

/** Declares the topology; safe to repeat, and repeated on every connection. */
export async function declareTopology(channel: Channel, workers: readonly string[] = WORKERS): Promise<void> {
  const { exchanges, queues } = topology(workers);
  for (const { name, type, options } of exchanges) await channel.assertExchange(name, type, options);
  for (const { name, options, boundTo } of queues) {
    await channel.assertQueue(name, options);
    if (boundTo) await channel.bindQueue(name, boundTo, '');
  }
}

function queuesOf(worker: string): QueueDeclaration[] {
  return [
    { name: deadQueueOf(worker), options: { durable: true, arguments: resting } },
    {
      name: queueOf(worker),
      boundTo: EXCHANGE,
      options: {
        durable: true,
        arguments: {
          ...quorum,
          // A message that ends its worker's process again and again is parked by the broker, not dropped, and not
          // by the default limit of 20 that RabbitMQ 4 sets (reference reliability A.2, F24).
          'x-delivery-limit': 100,
          'x-dead-letter-exchange': '',
          'x-dead-letter-routing-key': deadQueueOf(worker),
          'x-dead-letter-strategy': 'at-least-once',
          'x-overflow': 'reject-publish',
          ...(SINGLE_ACTIVE.has(worker) ? { 'x-single-active-consumer': true } : {}),
        },
      },
    },
  ];
}
