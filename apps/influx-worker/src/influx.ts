/**
 * The time series: one point for every event, for Grafana.
 *
 * Measurement by kind, few guarded tags, everything unbounded in fields (point.ts, guard.ts). Of each event it is known
 * what the store has at its time, from memory or by asking, so that a redelivered event adds nothing and two different
 * events never share a point (slots.ts, recent.ts, lookup.ts). Exact for one writing instance, whatever is killed or
 * redelivered, and the broker sees to it that it is one. Of several that write all the same, none knows of the others'
 * points: an event that is published twice may become two then, and different events of one series and millisecond
 * replace each other with a chance of one in a million for each such pair. And an event is looked for at its own time:
 * the same (source, id) with another time is another point.
 */
import { httpUrl, integer, milliseconds, text, variable } from '@weir/service';
import type { Config, Variables } from '@weir/service';
import { workerVariables } from '@weir/worker';
import type { Refused, Worker, WorkerDefinition } from '@weir/worker';
import { createFlow } from './flow';
import { createGuard } from './guard';
import type { Guard } from './guard';
import { pointOf, TAGS } from './point';
import type { Point } from './point';
import { createRecent } from './recent';
import { otherRetention } from './retention';
import { connectServer, identifier, ServerError } from './server';
import type { Server } from './server';
import type { Placement } from './slots';

const databaseName = () =>
  text(64).regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'must be a name of letters, digits, _, - and .');

const variables = {
  AMQP_URL: workerVariables.AMQP_URL,
  INFLUX_URL: variable(httpUrl().default('http://127.0.0.1:8086'), {
    description: 'InfluxDB 1.x, 2.x or 3.x, user and password included where it asks for them.',
    example: 'http://weir:secret@influxdb:8086',
    secret: true,
  }),
  INFLUX_TOKEN: variable(text().optional(), {
    description: 'API token for InfluxDB 2.x and 3.x; must allow reading and writing both databases.',
    secret: true,
  }),
  INFLUX_ORG: variable(text(255).default('weir'), {
    description: 'Organization that owns the buckets; InfluxDB 2.x only.',
  }),
  INFLUX_DATABASE: variable(databaseName().default('weir'), {
    description: 'Database (bucket) of the events: one point each. Created on 1.x when it is missing.',
  }),
  INFLUX_FLOW_DATABASE: variable(databaseName().default('weir_flow'), {
    description: "Database (bucket) of the samples of Weir's own queues. Created on 1.x when it is missing.",
  }),
  INFLUX_RETENTION_DAYS: variable(integer(0, 36_500, 'days').default(0), {
    description:
      'How long a database that the worker creates keeps its points, days; 0 for ever. One that is there is never ' +
      'changed: the log says what to do where its retention is another. Events older than that go to the dead letters.',
  }),
  INFLUX_FLOW_INTERVAL_MS: variable(milliseconds(100).default(10_000), {
    description: 'Time between two samples of the queues, milliseconds.',
  }),
  INFLUX_TAG_VALUES: variable(integer(1, 100_000, 'values').default(1000), {
    description: 'The most distinct values of any one tag; further ones are counted as `other`.',
  }),
  INFLUX_SERIES: variable(integer(1, 10_000_000, 'series').default(100_000), {
    description:
      'The most series in all; beyond, the open tags of a new one become `other`, and beyond four fifths of it its ' +
      'country and cloud do.',
  }),
} satisfies Variables;

export const influxWorker: WorkerDefinition<typeof variables, Point> = {
  name: 'influx',
  variables,
  create,
  batch: { maxEvents: 2000, maxAgeMs: 100 },
};

/** InfluxDB 1.x takes bodies of 25 MB at most. */
const CHUNK_CHARACTERS = 4 * 1024 ** 2;

/** A point with its line, on the way to the store. */
interface Entry {
  point: Point;
  line: string;
}

interface Connected {
  server: Server;
  guard: Guard;
}

/**
 * After a pause as long as this it is not sure to be the only writer still: a broker in trouble may have given the queue
 * to another instance and back, on the same channel.
 */
const PAUSE_MS = 1000;

function create(config: Config<typeof variables>, { log }: Parameters<WorkerDefinition['create']>[1]): Worker<Point> {
  const { INFLUX_DATABASE: database, INFLUX_RETENTION_DAYS: retentionDays } = config;
  const options = { url: config.INFLUX_URL, token: config.INFLUX_TOKEN, org: config.INFLUX_ORG };
  let newestMs: number | undefined;
  const flow = createFlow({
    amqpUrl: config.AMQP_URL,
    influx: { ...options, timeoutMs: 5_000 },
    database: config.INFLUX_FLOW_DATABASE,
    retentionDays,
    intervalMs: config.INFLUX_FLOW_INTERVAL_MS,
    lagMs: () => newestMs && Math.max(0, Date.now() - newestMs),
    log,
  });
  let current: Connected | undefined;
  const recent = createRecent(database);
  /** Monotonic, milliseconds. */
  let lastWriteAt = 0;

  const connect = async () => {
    current?.server.close();
    current = undefined;
    const server = await connectServer(options);
    await server.ensureDatabase(database, retentionDays);
    const other = await otherRetention(server, database, retentionDays);
    if (other !== undefined) log.warn({ database }, other);
    const guard = createGuard({ valuesPerTag: config.INFLUX_TAG_VALUES, series: config.INFLUX_SERIES });
    await fillGuard(guard, server, database);
    log.info(
      { influxdb: server.version, address: server.address, database, known: guard.counts() },
      'connected to InfluxDB',
    );
    return (current = { server, guard });
  };

  const store = async ({ server, guard }: Connected, batch: readonly Point[]): Promise<Refused<Point>[]> => {
    if (performance.now() - lastWriteAt > PAUSE_MS) recent.forget();
    const { entries, refused } = entriesOf(batch, await recent.place(server, batch), guard);
    for (const chunk of chunksOf(entries)) refused.push(...(await storeLines(server, database, chunk)));
    if (refused.length > 0) recent.forget(); // they have their places, and are not there
    lastWriteAt = performance.now();
    return refused;
  };

  /** Uses the connection; after a failure of the server whatever comes back may be another one, or empty: ask it all again. */
  const use = async <T>(work: (connected: Connected) => Promise<T>): Promise<T> => {
    try {
      return await work(current ?? (await connect()));
    } catch (error) {
      recent.forget();
      if (error instanceof ServerError) current = undefined;
      throw error;
    }
  };

  return {
    async connect() {
      await connect();
      flow.start();
    },
    prepare: (event, { again }) => pointOf(event, again),
    takesOver: () => recent.forget(),
    write: (batch) =>
      use(async (connected) => {
        const refused = await store(connected, batch);
        newestMs = batch.reduce((newest, { timeMs }) => Math.max(newest, timeMs), 0);
        return refused;
      }),
    // What writing asks first: whether this database can be read, here a measurement that nobody writes.
    probe: () =>
      use(async ({ server }) => {
        const nothing = `SELECT "identity" FROM ${identifier('canary')} WHERE time = 0`;
        for await (const rows of server.query(database, nothing)) void rows;
      }),
    async close() {
      await flow.close();
      current?.server.close();
    },
  };
}

function entriesOf(
  batch: readonly Point[],
  placements: readonly Placement[],
  guard: Guard,
): { entries: Entry[]; refused: Refused<Point>[] } {
  const entries: Entry[] = [];
  const refused: Refused<Point>[] = [];
  batch.forEach((point, index) => {
    const slot = placements[index];
    if (slot === 'full')
      refused.push({
        event: point,
        reason: `a million events of ${point.measurement} are in this millisecond already`,
      });
    else if (typeof slot === 'number') {
      const nanoseconds = `${point.timeMs}${String(slot).padStart(6, '0')}`;
      entries.push({ point, line: `${guard.series(point.series)} ${point.fields} ${nanoseconds}` });
    }
  });
  return { entries, refused };
}

/**
 * Writes lines; finds those that the server will not have by halving. It stores the good ones beside a bad one and
 * answers 400 all the same (`partial write`); a line written again is the same point again.
 */
async function storeLines(server: Server, database: string, entries: readonly Entry[]): Promise<Refused<Point>[]> {
  try {
    await server.write(
      database,
      entries.map(({ line }) => line),
    );
    return [];
  } catch (error) {
    if (!(error instanceof ServerError) || error.kind !== 'data') throw error;
    const reason = `InfluxDB: ${error.message}`;
    const dropped = Number(/\bdropped=(\d+)/.exec(error.message)?.[1]);
    if (entries.length === 1 || dropped === entries.length)
      return entries.map(({ point }) => ({ event: point, reason }));
    const middle = Math.ceil(entries.length / 2);
    const left = await storeLines(server, database, entries.slice(0, middle));
    return [...left, ...(await storeLines(server, database, entries.slice(middle)))];
  }
}

function* chunksOf(entries: readonly Entry[]): Generator<Entry[]> {
  let chunk: Entry[] = [];
  let characters = 0;
  for (const entry of entries) {
    if (chunk.length > 0 && characters + entry.line.length > CHUNK_CHARACTERS) {
      yield chunk;
      [chunk, characters] = [[], 0];
    }
    chunk.push(entry);
    characters += entry.line.length + 1;
  }
  if (chunk.length > 0) yield chunk;
}

/** So that a restarted worker, or a second one, decides about tags as the first one did. */
async function fillGuard(guard: Guard, server: Server, database: string): Promise<void> {
  const keys = TAGS.map(identifier).join(', ');
  for await (const { columns, values } of server.query(database, `SHOW TAG VALUES WITH KEY IN (${keys})`)) {
    const [key, value] = [columns.indexOf('key'), columns.indexOf('value')];
    for (const row of values) guard.remember(String(row[key]), [String(row[value])]);
  }
  if (server.major >= 3) return; // has no SHOW SERIES
  for await (const { values } of server.query(database, 'SHOW SERIES')) {
    guard.rememberSeries(values.map(([key]) => String(key)));
  }
}
