import { declareTopology, EXCHANGE } from '@weir/bus';
import { createEvent, encodeEvent, type WeirEvent } from '@weir/events';
import { isolated, until, type Isolated } from '@weir/testing';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { Redis } from 'ioredis';
import { startApp, type AppProcess } from './processes.test-support';

/** A broker and a Redis of a test's own, a redis-worker, and a count of what was published that knows nothing of Weir. */
export interface Bench {
  env: Record<string, string>;
  channel: ConfirmChannel;
  redis: Redis;
  publish(events: readonly WeirEvent[]): Promise<void>;
  /** Publishes so many events a second until it is stopped; resolves with how many these were. */
  flow(perSecond: number): { stop(): Promise<number> };
  startWorker(app?: string, env?: Record<string, string>): AppProcess;
  /** What the counters must be, by hand: every event that was published through this, once. */
  expected(): Record<string, string>;
  /** All counters that are in Redis. */
  counters(): Promise<Record<string, string>>;
  /** Waits until the redis-worker has counted everything that was published. */
  settled(timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const broker: Isolated = await isolated.amqp();
  const store: Isolated = await isolated.redis();
  const connection: ChannelModel = await connect(broker.url);
  const channel = await connection.createConfirmChannel();
  await declareTopology(channel);
  const redis = new Redis(store.url);
  const env = { AMQP_URL: broker.url, REDIS_URL: store.url };
  const hand = new Map<string, number>();
  const known = new Set<string>();
  const workers: AppProcess[] = [];
  const flows: { stop(): Promise<number> }[] = [];

  const publish = async (events: readonly WeirEvent[]) => {
    for (const event of events) {
      channel.publish(EXCHANGE, '', encodeEvent(event), { persistent: true });
      if (known.has(event.id)) continue;
      known.add(event.id);
      for (const key of keysByHand(event)) hand.set(key, (hand.get(key) ?? 0) + 1);
    }
    await channel.waitForConfirms();
  };
  const counters = async () => {
    const keys = (await redis.keys('*')).filter((key) => !key.startsWith('weir:')).sort();
    const values = keys.length === 0 ? [] : await redis.mget(keys);
    return Object.fromEntries(keys.map((key, at) => [key, values[at] ?? '(not a counter)']));
  };
  const expected = () => Object.fromEntries([...hand].sort().map(([key, count]) => [key, String(count)]));

  return {
    env,
    channel,
    redis,
    publish,
    counters,
    expected,
    flow(perSecond) {
      let [sent, stopped] = [0, false];
      const running = (async () => {
        const begun = Date.now();
        while (!stopped) {
          const due = Math.floor(((Date.now() - begun) / 1000) * perSecond) - sent;
          if (due > 0) await publish(pulls(due));
          sent += Math.max(0, due);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      const flow = { stop: async () => ((stopped = true), await running, sent) };
      flows.push(flow);
      return flow;
    },
    startWorker(app = 'redis-worker', more = {}) {
      const worker = startApp(app, { LOG_LEVEL: 'warn', ...env, ...more });
      workers.push(worker);
      return worker;
    },
    settled: (timeoutMs = 60_000) =>
      until(async () => JSON.stringify(await counters()) === JSON.stringify(expected()), timeoutMs),
    async close() {
      for (const flow of flows) await flow.stop();
      for (const worker of workers) await worker.stop();
      redis.disconnect();
      await connection.close();
      await broker.remove();
      await store.remove();
    },
  };
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
let made = 0;

/** Noon of yesterday: events around it are of one day, whenever the tests run. */
export const NOON = Math.floor(Date.now() / DAY) * DAY - DAY / 2;
export const NOON_DAY = new Date(NOON).toISOString().slice(0, 10);

/** Pulls of several organizations and architectures, spread over ten minutes, and some that are no pulls. */
export function pulls(count: number, at = NOON): WeirEvent[] {
  return Array.from({ length: count }, () => {
    const n = (made += 1);
    const data = {
      repository: `r/${n % 3}`,
      fusion: n % 5 === 0,
      platform: ['linux/amd64', 'linux/arm64/v8'][n % 2],
      ...(n % 7 === 0 ? {} : { user: { organization: `org-${n % 4}` } }),
    };
    const type = n % 11 === 0 ? 'io.weir.check' : n % 13 === 0 ? 'io.weir.build' : 'io.weir.pull';
    return createEvent(type, data, { source: 'bench', time: new Date(at + (n % 10) * MINUTE) });
  });
}

/** Seed 000, written down again without a look at libs/usage. */
function keysByHand({ type, time, data }: WeirEvent): string[] {
  const metrics = { 'io.weir.pull': ['pulls', ...(data['fusion'] ? ['fusion'] : [])], 'io.weir.build': ['builds'] }[type] ?? []; // prettier-ignore
  const day = time.slice(0, 10);
  const arch = { 'linux/amd64': 'amd64', 'linux/arm64/v8': 'arm64' }[String(data['platform'])];
  const org = (data['user'] as { organization?: string } | undefined)?.organization;
  const stems = [`/a/${arch}`, ...(org ? [`/o/${org}`, `/o/${org}/a/${arch}`] : [])];
  return metrics.flatMap((metric) => [
    `${metric}/d/${day}`,
    ...stems.flatMap((stem) => [metric + stem, `${metric}${stem}/d/${day}`]),
  ]);
}
