import { setTimeout as pause } from 'node:timers/promises';
import { declareTopology, messageOptions, queueOf } from '@weir/bus';
import { encodeEvent, type WeirEvent } from '@weir/events';
import type { App } from '@weir/testing';
import { connect, type ConfirmChannel } from 'amqplib';
import type { Bench } from './case';
import { pullOf } from './events';
import { measured } from './measure';
import { alone, atMost, type Row } from './row';

/** Events in front of those that are timed: while they are drained code is compiled and connections are made. */
export const WARM = 20_000;
const UNCONFIRMED = 5000;
const FILLING = 'bench';
const LOOK_MS = 20;
const LIMIT_MB = 150;
const DAY_MS = 86_400_000;
/** Yesterday. */
const FIRST = Math.floor(Date.now() / DAY_MS - 1) * DAY_MS;

/** Pull number `n` of a registry with a thousand pulls a second, in the order in which they happened. */
export function pullInOrder(n: number): WeirEvent {
  return { ...pullOf(n), time: new Date(FIRST + n).toISOString() };
}

export interface Drain {
  /** Events a second, those for warming up aside. */
  rate: number;
  /** Of the worker an event, likewise: processor time, microseconds. */
  cpu: number;
  /** Resident memory of the worker while it drained, megabytes: the highest, and the growth over the second half. */
  memory: { highest: number; growth: number };
}

/** A broker with a queue that a worker drains. */
export interface Drained {
  amqp: string;
  /** Fills the queue with so many events, and some in front, and lets the app drain it. */
  drain(app: App, events: number): Promise<Drain>;
}

/** How many events are in the queue when so many are timed. */
export const withWarmUp = (events: number): number => WARM + events;

export async function openQueue({ servers, onEnd }: Bench, worker: string): Promise<Drained> {
  const rabbitmq = await servers.rabbitmq();
  const amqp = await rabbitmq.addVhost(`${worker}-worker`);
  onEnd(() => rabbitmq.deleteVhost(`${worker}-worker`));
  const connection = await connect(amqp);
  onEnd(() => connection.close());
  const channel = await connection.createConfirmChannel();
  await declareTopology(channel, [worker]);
  let sent = 0;

  return {
    amqp,
    async drain(app, events) {
      await fill(channel, worker, withWarmUp(events), () => pullInOrder((sent += 1)));
      app.start();
      const drained = await watch(app, withWarmUp(events));
      await app.stop();
      return drained;
    },
  };
}

/** Puts so many events into the queue of a worker alone, by an exchange, as publishers do: what comes past one is a replay. */
export async function fill(
  channel: ConfirmChannel,
  worker: string,
  events: number,
  eventOf: (n: number) => WeirEvent,
): Promise<void> {
  await channel.assertExchange(FILLING, 'direct', { durable: false });
  await channel.bindQueue(queueOf(worker), FILLING, worker);
  for (let n = 0; n < events; n += 1) {
    const event = eventOf(n);
    channel.publish(FILLING, worker, encodeEvent(event), messageOptions(event));
    if (n % UNCONFIRMED === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

/** From the first look that finds the warm-up done to the first that finds all done. */
async function watch(app: App, events: number): Promise<Drain> {
  const sizes: number[] = [];
  const look = async () => {
    const done = (await app.metric('weir_worker_events_total')) ?? 0;
    const { rssBytes = 0, cpuSeconds = 0 } = app.resources() ?? {};
    return { done, at: performance.now(), rssBytes, cpuSeconds };
  };
  let now = await look();
  for (; now.done < WARM; now = await look()) await pause(LOOK_MS);
  const from = now;
  for (; now.done < events; now = await look()) {
    sizes.push(now.rssBytes / 1024 ** 2);
    await pause(LOOK_MS);
  }
  const count = now.done - from.done;
  const half = sizes.slice(Math.floor(sizes.length / 2));
  return {
    rate: count / ((now.at - from.at) / 1000),
    cpu: ((now.cpuSeconds - from.cpuSeconds) * 1e6) / count,
    memory: { highest: Math.max(...sizes), growth: 100 * ((half.at(-1) ?? NaN) / (half[0] ?? NaN) - 1) },
  };
}

/** What a worker takes for itself, over several drains. */
export function rowsOfWorker(name: string, drains: readonly Drain[]): Row[] {
  const of = (figure: (drain: Drain) => number) => measured(drains.map(figure));
  return [
    alone({ name: `${name}: processor time an event`, unit: 'µs', value: of(({ cpu }) => cpu) }),
    alone({
      name: `${name}: highest resident memory while a long queue drains`,
      unit: 'MB',
      value: measured([Math.max(...drains.map(({ memory }) => memory.highest))]),
      target: atMost(LIMIT_MB),
    }),
    alone({
      name: `${name}: growth of its memory over the second half of a drain`,
      unit: '%',
      value: of(({ memory }) => memory.growth),
      target: atMost(10),
    }),
  ];
}
