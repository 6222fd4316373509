import type { Channel, ChannelModel, Options } from 'amqplib';
import { explainDeclaration } from './mismatch';
import { whyUnavailable, type Unavailable } from './unavailable';

/** The fanout exchange that every publisher knows, and the only thing of the bus that it knows. */
export const EXCHANGE = 'weir.events';
/** Catches what no queue would take: an alternate exchange and its queue. */
export const UNROUTED = 'weir.unrouted';
/** A stream queue with the last days of events, for replay and rebuilding. */
export const HISTORY = 'weir.history';
/** What sets the queue of a worker apart from that of another. */
interface Traits {
  /**
   * One instance consumes at a time, the others standing by: two influx-workers writing one millisecond could not see
   * each other's points (docs/decisions/0002).
   */
  singleActive?: true;
  /**
   * Nothing rests on what it stores, so its queue is bounded and loses its oldest events when it is full: a debug
   * worker that is dead must never fill the broker's disk, which would stop everybody (reference reliability A.4).
   */
  optional?: true;
}

/** The one list of the workers that Weir ships, with their traits; a further worker declares its own queue too. */
const TRAITS: Readonly<Record<string, Traits>> = {
  redis: {},
  influx: { singleActive: true },
  mongo: { optional: true },
};

export const WORKERS: readonly string[] = Object.keys(TRAITS);

/** Whether a worker may lose events when it does not keep up; see {@link topology}. */
export const isOptional = (worker: string): boolean => TRAITS[worker]?.optional === true;

/** The bounds of the queue of an optional worker. */
const OPTIONAL_BOUNDS = { 'x-max-length': 2_000_000, 'x-max-length-bytes': 2 * 1024 ** 3 };

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

/** One of the things that are declared, in the order in which that works. */
export type Declaration =
  ({ kind: 'exchange' } & Topology['exchanges'][number]) | ({ kind: 'queue' } & QueueDeclaration);

export function declarations(workers: readonly string[] = WORKERS): Declaration[] {
  const { exchanges, queues } = topology(workers);
  return [
    ...exchanges.map((exchange) => ({ kind: 'exchange' as const, ...exchange })),
    ...queues.map((queue) => ({ kind: 'queue' as const, ...queue })),
  ];
}

/**
 * Declares one of them, a queue with its binding; safe to repeat.
 *
 * @throws MismatchError when the broker has something of that name with other arguments: which, and what to do. The
 *   channel is closed then.
 */
export async function declare(channel: Channel, declaration: Declaration): Promise<void> {
  const { name } = declaration;
  try {
    if (declaration.kind === 'exchange') {
      await channel.assertExchange(name, declaration.type, declaration.options);
    } else {
      await channel.assertQueue(name, declaration.options);
      if (declaration.boundTo) await channel.bindQueue(name, declaration.boundTo, '');
    }
  } catch (error) {
    throw explainDeclaration(error);
  }
}

/** Declares the topology; safe to repeat, and repeated on every connection. @throws as {@link declare} does */
export async function declareTopology(channel: Channel, workers: readonly string[] = WORKERS): Promise<void> {
  for (const declaration of declarations(workers)) await declare(channel, declaration);
}

/**
 * {@link declareTopology} on channels of its own: a refused declaration must not take anything else with it. Queues that
 * the broker has and cannot reach now are left out, but for those that are needed.
 *
 * @returns those that were left out
 * @throws as {@link declare} does
 */
export async function declareOn(
  connection: ChannelModel,
  workers: readonly string[] = WORKERS,
  needed: (queue: string) => boolean = () => true,
): Promise<Unavailable[]> {
  const leftOut: Unavailable[] = [];
  const left = declarations(workers);
  while (left.length > 0) {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    const closedBy = await declareUntilClosed(channel, left, needed);
    if (closedBy) leftOut.push(closedBy);
    else await channel.close();
  }
  return leftOut;
}

/** Takes one after the other from what is `left`; resolves with the one that has closed the channel. */
async function declareUntilClosed(
  channel: Channel,
  left: Declaration[],
  needed: (queue: string) => boolean,
): Promise<Unavailable | undefined> {
  for (let next = left.shift(); next; next = left.shift()) {
    try {
      await declare(channel, next);
    } catch (error) {
      const why = whyUnavailable(error);
      if (why === undefined || next.kind === 'exchange' || needed(next.name)) throw error;
      return { name: next.name, why };
    }
  }
  return undefined;
}

/**
 * What a publisher cannot go without: past a queue that is not there an event is confirmed all the same, and a counter
 * would miss it. The queues of optional workers may lose events; the history has a gap then, which the audit tells.
 */
export const neededToPublish = (queue: string): boolean =>
  WORKERS.some((worker) => !isOptional(worker) && queueOf(worker) === queue);

function queuesOf(worker: string): QueueDeclaration[] {
  const { singleActive, optional } = TRAITS[worker] ?? {};
  return [
    { name: deadQueueOf(worker), options: { durable: true, arguments: resting } },
    {
      name: queueOf(worker),
      boundTo: EXCHANGE,
      options: {
        durable: true,
        arguments: {
          ...(optional ? lossy : lossless(worker)),
          ...(singleActive ? { 'x-single-active-consumer': true } : {}),
        },
      },
    },
  ];
}

/** The queue of a counter: it refuses what it cannot hold, so that the publisher keeps it, and loses nothing. */
function lossless(worker: string) {
  return {
    ...quorum,
    // A message that ends its worker's process again and again is parked by the broker, not dropped, and not
    // by the default limit of 20 that RabbitMQ 4 sets (reference reliability A.2, F24).
    'x-delivery-limit': 100,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': deadQueueOf(worker),
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };
}

/**
 * The queue of an optional worker. No dead-letter exchange: what overflows would fill the dead letters instead. So a
 * delivery limit would drop what it hits, and with it everything else that was in hand at each crash (F24): there is
 * none to speak of. A message that ends its worker again and again is dropped in the end by the bound.
 */
const lossy = { ...resting, ...OPTIONAL_BOUNDS, 'x-overflow': 'drop-head' };
