import { randomUUID } from 'node:crypto';
import { createEvent } from '@weir/events';
import type { WeirEvent } from '@weir/events';
import { readConfig } from '@weir/service';
import { testServers } from '@weir/testing';
import type { Refused, Worker } from '@weir/worker';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { influxWorker } from './influx';
import { connectServer } from './server';
import type { Point } from './point';
import type { Rows, Server } from './server';

/** The InfluxDB of the test run, and workers on databases of their own in it. */
export interface TestStore {
  url: string;
  /** A name that no other test uses; dropped with the store. */
  database(): string;
  /** A worker on that database, not connected yet; closed with the store. */
  worker(database: string, env?: Record<string, string>): Worker;
  query(database: string, statements: string): Promise<Rows[]>;
  /** Points in all measurements of the database. */
  points(database: string): Promise<number>;
  server(): Promise<Server>;
  close(): Promise<void>;
}

export async function openTestStore(): Promise<TestStore> {
  const url = await testServers().influx();
  const databases: string[] = [];
  const log = pino({ level: 'silent' });
  const releases: (() => unknown)[] = [];

  const server = async () => {
    const connected = await connectServer({ url });
    releases.push(() => connected.close());
    return connected;
  };
  const query = async (database: string, statements: string) => {
    const asked = await connectServer({ url });
    const rows: Rows[] = [];
    for await (const some of asked.query(database, statements)) rows.push(some);
    asked.close();
    return rows;
  };

  return {
    url,
    database() {
      const name = `weir_test_${randomUUID().slice(0, 8)}`;
      databases.push(name);
      return name;
    },
    worker(database, env = {}) {
      const config = readConfig(influxWorker.variables, {
        AMQP_URL: 'amqp://127.0.0.1:9', // no broker: samples of the flow are left out
        INFLUX_URL: url,
        INFLUX_DATABASE: database,
        INFLUX_FLOW_DATABASE: `${database}_flow`,
        ...env,
      });
      const worker = influxWorker.create(config, { log, metrics: new Registry() });
      releases.push(() => worker.close());
      return takingEvents(worker);
    },
    query,
    async points(database) {
      const counts = await query(database, 'SELECT count("identity") FROM /.*/');
      return counts.reduce((sum, { values }) => sum + Number(values[0]?.[1] ?? 0), 0);
    },
    server,
    async close() {
      for (const release of releases) await release();
      const drops = databases.flatMap((name) => [name, `${name}_flow`]).map((name) => `DROP DATABASE "${name}"`);
      if (drops.length > 0) await query('', drops.join(';'));
    },
  };
}

/** As the kit uses it: events become points, each batch is written when the one before is, and what is refused is an event. */
function takingEvents(worker: Omit<Worker<Point>, 'ahead'>): Worker {
  const { prepare, write, ...rest } = worker;
  let turn: Promise<unknown> = Promise.resolve();
  return {
    ...rest,
    async write(events) {
      const points = events.map((event) => prepare?.(event, { again: false }) as Point);
      const mine = turn.then(() => write(points));
      turn = mine.catch(() => {});
      const refused = (await mine) ?? [];
      return refused.map(({ event, reason }) => ({ event: events[points.indexOf(event)], reason }) as Refused);
    },
  };
}

/** A pull of the given time and data, different from every other event. */
export function pull(data: object = {}, time = '2026-11-23T06:54:00.123Z', id?: string): WeirEvent {
  return createEvent(
    'io.weir.pull',
    { repository: 'library/alpine', tag: '3.20', platform: 'linux/amd64', ...data },
    { source: 'weir/gateway', time: new Date(time), ...(id === undefined ? {} : { id }) },
  );
}
