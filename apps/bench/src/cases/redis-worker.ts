import { setTimeout as pause } from 'node:timers/promises';
import { declareTopology, queueOf } from '@weir/bus';
import type { WeirEvent } from '@weir/events';
import type { App } from '@weir/testing';
import { connect, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { Redis } from 'ioredis';
import type { Bench, Case } from '../case';
import { fill, WARM, withWarmUp } from '../drain';
import { PULL_DAYS, pullOf } from '../events';
import { inTurn, measured, type Measured } from '../measure';
import { alone, atLeast, atMost, compared, type Row } from '../row';

const QUEUE = queueOf('redis');
const EVENTS = 50_000;
/** Where each key is incremented for itself: it takes as long for fewer. */
const INCREMENTED = 10_000;
/** Lengths of the queue, and how often each is drained. */
const LENGTHS = { short: [10_000, 3], longer: [100_000, 1], long: [1_000_000, 1] } as const;
const LOOK_MS = 10;
const LIMIT_MB = 150;

/** How fast a queue is drained, with all on that makes counting exact: validation, dedupe, the append-only file. */
export const redisWorker: Case = {
  name: 'redis-worker',
  async run(bench) {
    const place = await prepare(bench);
    const rates = await inTurn(
      bench.rounds,
      {
        bare: () => drained(place, EVENTS, bareDrain),
        one: () => drained(place, EVENTS, workers(1)),
        increments: () => drained(place, INCREMENTED, incrementDrain),
        two: () => drained(place, EVENTS, workers(2)),
      },
      bench.progress,
    );
    return [...rowsOfRates(rates), ...(await growth(place, bench.progress))];
  },
};

function rowsOfRates({ bare, one, increments, two }: Record<'bare' | 'one' | 'increments' | 'two', Measured>): Row[] {
  const unit = 'events/s';
  return [
    compared({
      name: 'redis-worker: drain of pulls, against bare consume and ack of the same queue',
      unit,
      value: one,
      limit: bare,
      target: atLeast(0.7),
    }),
    compared({
      name: 'redis-worker: drain of pulls, against one pipelined INCR per key and event and no dedupe',
      unit,
      value: one,
      limit: increments,
      target: atLeast(2.5),
      note: `seven keys an event, ${IN_FLIGHT} events in flight`,
    }),
    compared({
      name: 'redis-worker: two on one queue, against one; counts exact',
      unit,
      value: two,
      limit: one,
      target: atLeast(1),
    }),
  ];
}

/** Neither pace nor memory may depend on how much waits. */
async function growth(place: Place, progress: Bench['progress']): Promise<Row[]> {
  const drain = async ([length, times]: readonly [number, number]) => {
    const [rates, sizes]: [number[], number[]] = [[], []];
    for (let time = 1; time <= times; time += 1) {
      progress(`a queue of ${length.toLocaleString('en-US')}`);
      rates.push(
        await drained(
          place,
          length,
          workers(1, (megabytes) => sizes.push(megabytes)),
        ),
      );
    }
    return { rate: measured(rates), memory: measured([Math.max(...sizes)]) };
  };
  const short = await drain(LENGTHS.short);
  const longer = await drain(LENGTHS.longer);
  const long = await drain(LENGTHS.long);
  const rate = { unit: 'events/s', limit: short.rate, target: atLeast(0.9) };
  const memory = { unit: 'MB', limit: short.memory, target: atMost(1.1) };
  return [
    compared({ name: 'redis-worker: drain at 100,000 events, against 10,000', value: longer.rate, ...rate }),
    compared({ name: 'redis-worker: drain at 1,000,000 events, against 10,000', value: long.rate, ...rate }),
    compared({ name: 'redis-worker: memory at 100,000 events, against 10,000', value: longer.memory, ...memory }),
    compared({ name: 'redis-worker: memory at 1,000,000 events, against 10,000', value: long.memory, ...memory }),
    alone({
      name: 'redis-worker: highest resident memory at 1,000,000 events',
      unit: 'MB',
      value: long.memory,
      target: atMost(LIMIT_MB),
    }),
  ];
}

interface Place {
  amqp: string;
  redis: string;
  channel: ConfirmChannel;
  client: Redis;
  worker(): Promise<App>;
}

async function prepare(bench: Bench): Promise<Place> {
  const [rabbitmq, { url: redis }] = await Promise.all([bench.servers.rabbitmq(), bench.servers.redis()]);
  const amqp = await rabbitmq.addVhost('redis-worker');
  bench.onEnd(() => rabbitmq.deleteVhost('redis-worker'));
  const connection = await connect(amqp);
  bench.onEnd(() => connection.close());
  const channel = await connection.createConfirmChannel();
  await declareTopology(channel);
  const client = new Redis(redis);
  bench.onEnd(() => client.disconnect());
  const worker = () => bench.app('redis-worker', { AMQP_URL: amqp, REDIS_URL: redis });
  return { amqp, redis, channel, client, worker };
}

type Drain = (place: Place, watch: Stopwatch) => Promise<void>;

/** How many events a second are drained of a queue of this length, those for warming up aside. */
async function drained(place: Place, length: number, drain: Drain): Promise<number> {
  const events = withWarmUp(length);
  await fill(place.channel, 'redis', events, pullOf);
  await place.client.flushall();
  const watch = createStopwatch(events);
  await drain(place, watch);
  return watch.rate();
}

interface Stopwatch {
  /** All that are to be drained. */
  events: number;
  /** Told again and again how many are done. @returns whether that is all */
  all(done: number): boolean;
  rate(): number;
}

function createStopwatch(events: number): Stopwatch {
  let from: { done: number; at: number } | undefined;
  let rate = NaN;
  return {
    events,
    all(done) {
      if (done >= WARM) from ??= { done, at: performance.now() };
      if (done < events || from === undefined) return false;
      rate = (events - from.done) / ((performance.now() - from.at) / 1000);
      return true;
    },
    rate: () => rate,
  };
}

const BARE = { prefetch: 3000, ack: 1000 };

/** As fast as amqplib can: nothing is read, one `ack` for a thousand. */
async function bareDrain({ amqp }: Place, watch: Stopwatch): Promise<void> {
  let done = 0;
  await consume(amqp, BARE.prefetch, (_, ack) => {
    done += 1;
    const all = watch.all(done);
    if (all || done % BARE.ack === 0) ack();
    return all;
  });
}

const IN_FLIGHT = 500;
const ACK_EVERY = 100;

/** As the peer of seed 000 counts: each event increments its keys one by one, and nobody asks whether it came before. */
async function incrementDrain({ amqp, redis }: Place, watch: Stopwatch): Promise<void> {
  const client = new Redis(redis);
  let done = 0;
  await consume(amqp, IN_FLIGHT, async ({ content }, ack) => {
    await Promise.all(sevenKeys(JSON.parse(content.toString()) as WeirEvent).map((key) => client.incr(key)));
    done += 1;
    const all = watch.all(done);
    if (all || done % ACK_EVERY === 0) ack();
    return all;
  }).finally(() => client.disconnect());
}

function sevenKeys({ time, data }: WeirEvent): string[] {
  const { platform, user } = data as { platform: string; user: { email: string } };
  const [, o] = user.email.split('@');
  const [, a] = platform.split('/');
  const d = time.slice(0, 10);
  return [
    `pulls/d/${d}`,
    ...[`pulls/o/${o}`, `pulls/a/${a}`, `pulls/o/${o}/a/${a}`].flatMap((key) => [key, `${key}/d/${d}`]),
  ];
}

/** Consumes until `take` says that this was the last; `ack` stands for the message and all before it. */
async function consume(
  amqp: string,
  prefetch: number,
  take: (message: ConsumeMessage, ack: () => void) => boolean | Promise<boolean>,
): Promise<void> {
  const connection = await connect(amqp);
  try {
    const channel = await connection.createChannel();
    await channel.prefetch(prefetch);
    await new Promise<void>((resolve, reject) => {
      const taken = (message: ConsumeMessage): void => {
        const last = take(message, () => channel.ack(message, true));
        if (last === true) resolve();
        else if (last !== false) last.then((all) => void (all && resolve()), reject);
      };
      channel.consume(QUEUE, (message) => void (message && taken(message))).catch(reject);
    });
    await channel.close();
  } finally {
    await connection.close();
  }
}

/**
 * The real app, once or several times.
 *
 * @param tell told the largest resident memory of one, megabytes
 */
function workers(number: number, tell: (megabytes: number) => void = () => {}): Drain {
  return async ({ client, worker }, watch) => {
    const apps = await Promise.all(Array.from({ length: number }, worker));
    const counted = async () => (await client.mget(PULL_DAYS)).reduce((sum, count) => sum + Number(count ?? 0), 0);
    const largest = () => Math.max(...apps.map((app) => (app.resources()?.rssBytes ?? 0) / 1024 ** 2));
    for (const app of apps) app.start();
    let [done, megabytes] = [0, 0];
    do {
      await pause(LOOK_MS);
      done = await counted();
      megabytes = Math.max(megabytes, largest());
    } while (!watch.all(done));
    await Promise.all(apps.map((app) => app.stop()));
    const after = await counted();
    if (after !== watch.events) throw new Error(`${after} pulls were counted of ${watch.events}`);
    tell(megabytes);
  };
}
