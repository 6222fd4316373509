import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { queueOf } from '@weir/bus';
import { cpuSecondsOf, freePort, until, type App } from '@weir/testing';
import { connect } from 'amqplib';
import type { Bench, Case } from '../case';
import { serve, serveNginx, type Beside } from '../gateway/programs';
import { createLoad, CONNECTIONS, type Kind } from '../gateway/wrk';
import { growthOf, inTurn, measured } from '../measure';
import { alone, atLeast, atMost, compared, type Row } from '../row';

const run = promisify(execFile);

const SECONDS = 3;
/** Until the code of both sides is compiled and every image is known. */
const WARM_SECONDS = 8;
const MEMORY_SECONDS = 15;
const SAMPLE_MS = 500;
const LIMIT_MB = 150;
const FLAT_PERCENT = 10;
const NO_BROKER = 'amqp://127.0.0.1:9';

interface Gateway extends Beside {
  app: App;
  counted(): Promise<void>;
}

type Load = Awaited<ReturnType<typeof createLoad>>;

/** Redirects, beside a bare server that redirects everything and counts nothing. */
export const gateway: Case = {
  name: 'gateway',
  async run(bench) {
    const rabbitmq = await bench.servers.rabbitmq();
    const AMQP_URL = await rabbitmq.addVhost('gateway');
    bench.onEnd(() => rabbitmq.deleteVhost('gateway'));
    const load = await createLoad(bench.dir);
    const upstream = await serve(bench, 'upstream');
    const start = (name: string, amqp: string) => startGateway(bench, { name, AMQP_URL: amqp, UPSTREAM: upstream.url });
    const [bare, one, spooling] = [await serve(bench, 'bare'), await start('a', AMQP_URL), await start('b', NO_BROKER)];

    bench.progress('warming up');
    await load.of(bare.url, 'manifest', { seconds: 2 });
    for (const { url } of [one, spooling]) await load.of(url, 'manifest', { seconds: WARM_SECONDS });
    await load.of(one.url, 'blob', { seconds: WARM_SECONDS / 2 });

    const rows = [
      ...(await blobs(bench, load, { bare, one })),
      ...(await manifests(bench, load, { bare, one, spooling })),
      ...(await latency(bench, load, { bare, one })),
      ...(await two(bench, load, { both: [await start('c', AMQP_URL), await start('d', AMQP_URL)], amqp: AMQP_URL })),
    ];
    return [...rows, ...(await memory(bench, load, await start('e', NO_BROKER)))];
  },
};

async function startGateway(
  bench: Bench,
  { name, AMQP_URL, UPSTREAM }: { name: string; AMQP_URL: string; UPSTREAM: string },
): Promise<Gateway> {
  const port = await freePort();
  const app = await bench.app('gateway', {
    AMQP_URL,
    UPSTREAM,
    GATEWAY_NAME: name,
    GATEWAY_PORT: String(port),
    TRUSTED_PROXIES: '1',
    SPOOL_DIR: join(bench.dir, `spool-${name}`),
  });
  app.start();
  await app.ready();
  /** All answers are counted, their events safe. */
  const counted = () =>
    until(async () => {
      const waiting = await app.metric('weir_gateway_waiting_answers');
      return waiting === 0 && (await app.metric('weir_publisher_in_flight_events')) === 0;
    });
  return { app, counted, url: `http://127.0.0.1:${port}`, pid: app.pid ?? 0 };
}

async function blobs(bench: Bench, load: Load, { bare, one }: { bare: Beside; one: Gateway }): Promise<Row[]> {
  const [nginx, express] = [await serveNginx(bench), await serve(bench, 'express')];
  const rate = (beside: Beside) => async () => (await load.of(beside.url, 'blob', { seconds: SECONDS })).perSecond;
  const sides = { bare: rate(bare), gateway: rate(one), nginx: rate(nginx), express: rate(express) };
  const { bare: limit, ...rates } = await inTurn(bench.rounds, sides, (text) => bench.progress(`blobs: ${text}`));
  const unit = 'requests/s';
  return [
    compared({
      name: 'gateway: redirects of blobs, against bare node:http',
      unit,
      value: rates.gateway,
      limit,
      target: atLeast(0.85),
    }),
    compared({ name: 'nginx: return 307 with its access log, against the same', unit, value: rates.nginx, limit }),
    compared({ name: 'express: a redirect, against the same', unit, value: rates.express, limit }),
  ];
}

/** Processor time of one process for each request, microseconds, until all that it has begun is done. */
async function cpuOf(
  load: Load,
  { url, pid, counted }: Beside & { counted?: () => Promise<unknown> },
  kind: Kind,
): Promise<number> {
  const before = cpuSecondsOf(pid);
  const { requests } = await load.of(url, kind, { seconds: SECONDS });
  await counted?.();
  return ((cpuSecondsOf(pid) - before) * 1e6) / requests;
}

async function manifests(
  bench: Bench,
  load: Load,
  { bare, one, spooling }: { bare: Beside; one: Gateway; spooling: Gateway },
): Promise<Row[]> {
  const cpu = (beside: Parameters<typeof cpuOf>[1]) => () => cpuOf(load, beside, 'manifest');
  const sides = { bare: cpu(bare), confirmed: cpu(one), spooled: cpu(spooling) };
  const figures = await inTurn(bench.rounds, sides, (text) => bench.progress(`manifests: ${text}`));
  const shape = '1,000 images, one in ten by its tag, from 1,000 clients, each pair once';
  return [
    compared({
      name: 'gateway: redirects of manifests, each published and confirmed, against bare node:http',
      unit: 'µs of CPU',
      value: figures.confirmed,
      limit: figures.bare,
      target: atMost(2.2),
      note: shape,
    }),
    compared({
      name: 'gateway: the same without a broker, each spooled',
      unit: 'µs of CPU',
      value: figures.spooled,
      limit: figures.bare,
      target: atMost(2.5),
      note: shape,
    }),
  ];
}

async function latency(bench: Bench, load: Load, { bare, one }: { bare: Beside; one: Gateway }): Promise<Row[]> {
  const most = await load.of(one.url, 'manifest', { seconds: SECONDS });
  await one.counted();
  const rate = Math.floor(most.perSecond / 2);
  let from = 500_000_009;
  const late: number[] = [];
  const p99 = (beside: Beside) => async () => {
    from += 1_000_003;
    const args = [join(__dirname, '../gateway/open-loop.js'), beside.url, String(rate), String(SECONDS), String(from)];
    const said = JSON.parse((await run(process.execPath, args)).stdout) as { p99: number; late: number };
    late.push(said.late);
    return said.p99;
  };
  const sides = { bare: p99(bare), gateway: p99(one) };
  const times = await inTurn(bench.rounds, sides, (text) => bench.progress(`p99: ${text}`));
  const added = times.gateway.rounds.map((time, round) => time - (times.bare.rounds[round] ?? NaN));
  const [bareMs, lateMs] = [times.bare.median, Math.max(...late)].map((ms) => ms.toFixed(1));
  return [
    alone({
      name: 'gateway: p99 beyond that of bare node:http, at half of its highest rate',
      unit: 'ms',
      value: measured(added),
      target: atMost(2),
      note: `manifests at ${rate.toLocaleString('en-US')}/s; bare node:http ${bareMs} ms, of the load generator's own delay ${lateMs} ms`,
    }),
  ];
}

async function two(
  bench: Bench,
  load: Load,
  { both, amqp }: { both: readonly [Gateway, Gateway]; amqp: string },
): Promise<Row[]> {
  bench.progress('two gateways: warming up');
  const before = await depthOf(amqp);
  for (const { url } of both) await load.of(url, 'manifest', { seconds: WARM_SECONDS });
  const rateOf = (gateways: readonly Gateway[]) => async () => {
    const options = { seconds: SECONDS, connections: CONNECTIONS / gateways.length };
    const loads = await Promise.all(gateways.map(({ url }) => load.of(url, 'manifest', options)));
    await Promise.all(gateways.map(({ counted }) => counted()));
    return loads.reduce((sum, { perSecond }) => sum + perSecond, 0);
  };
  const sides = { one: rateOf([both[0]]), both: rateOf(both) };
  const rates = await inTurn(bench.rounds, sides, (text) => bench.progress(`two gateways: ${text}`));
  const answered = await sumOf(both, 'weir_gateway_requests_total');
  const repeated = await sumOf(both, 'weir_gateway_repeated_pulls_total');
  const queued = (await depthOf(amqp)) - before;
  const exact = answered === queued + repeated;
  return [
    compared({
      name: 'two gateways in sum, against one',
      unit: 'requests/s',
      value: rates.both,
      limit: rates.one,
      target: atLeast(1),
      holds: exact,
      note: `${answered} redirects, ${queued} events in the queue, ${repeated} repetitions`,
    }),
  ];
}

async function sumOf(gateways: readonly Gateway[], metric: string): Promise<number> {
  const values = await Promise.all(gateways.map(({ app }) => app.metric(metric)));
  return values.reduce<number>((sum, value) => sum + (value ?? NaN), 0);
}

async function depthOf(amqp: string): Promise<number> {
  const connection = await connect(amqp);
  try {
    const channel = await connection.createChannel();
    return (await channel.checkQueue(queueOf('redis'))).messageCount;
  } finally {
    await connection.close();
  }
}

async function memory(bench: Bench, load: Load, { app, url }: Gateway): Promise<Row[]> {
  bench.progress('memory');
  const sizes: number[] = [];
  const timer = setInterval(() => sizes.push((app.resources()?.rssBytes ?? NaN) / 1024 ** 2), SAMPLE_MS);
  const { requests } = await load.of(url, 'manifest', { seconds: MEMORY_SECONDS });
  clearInterval(timer);
  const note = `after ${requests.toLocaleString('en-US')} requests; bench/gateway-memory.mjs makes a million`;
  return [
    alone({
      name: 'gateway: highest resident memory',
      unit: 'MB',
      value: measured([Math.max(...sizes)]),
      target: atMost(LIMIT_MB),
      note,
    }),
    alone({
      name: 'gateway: growth of its memory from the second quarter to the last',
      unit: '%',
      value: measured([growthOf(sizes)]),
      target: atMost(FLAT_PERCENT),
    }),
  ];
}
