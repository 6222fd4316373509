import { Agent, request, type RequestOptions } from 'node:http';
import { identityKey, type WeirEvent } from '@weir/events';
import type { Bench, Case } from '../case';
import { openQueue, pullInOrder, rowsOfWorker, withWarmUp, type Drain } from '../drain';
import { inTurn, perSecond } from '../measure';
import { atLeast, compared } from '../row';

const EVENTS = 100_000;
const LINES = 5000;

/** How fast a queue becomes points, each looked for first so that none is there twice. */
export const influxWorker: Case = {
  name: 'influx-worker',
  async run(bench) {
    const queue = await openQueue(bench, 'influx');
    const influx = await openInflux(bench);
    const drains: Drain[] = [];
    let databases = 0;

    const bare = async (): Promise<number> => {
      const database = await influx.create(`bare${(databases += 1)}`);
      const bodies = bodiesOf(EVENTS);
      return perSecond(EVENTS, async () => {
        for (const body of bodies) await influx.send(`/write?db=${database}&precision=ns`, body);
      });
    };
    const worker = async (): Promise<number> => {
      const database = `worker${(databases += 1)}`;
      const app = await bench.app('influx-worker', {
        AMQP_URL: queue.amqp,
        INFLUX_URL: influx.url,
        INFLUX_DATABASE: database,
      });
      const drained = await queue.drain(app, EVENTS);
      await influx.expectPoints(database, withWarmUp(EVENTS));
      await influx.expectAlike(database, `bare${databases - 1}`);
      drains.push(drained);
      return drained.rate;
    };

    const rates = await inTurn(bench.rounds, { bare, worker }, bench.progress);
    return [
      compared({
        name: 'influx-worker: drain of pulls, against bare posts of 5,000 prebuilt lines',
        unit: 'events/s',
        value: rates.worker,
        limit: rates.bare,
        target: atLeast(0.6),
        note: 'one post after the other; the same measurement, tags and fields; every point counted',
      }),
      ...rowsOfWorker('influx-worker', drains),
    ];
  },
};

/** The lines that the worker makes of such pulls, but for the nanoseconds, in bodies of 5,000. */
function bodiesOf(events: number): Buffer[] {
  return Array.from({ length: Math.ceil(events / LINES) }, (_, body) =>
    Buffer.from(Array.from({ length: LINES }, (_line, n) => lineOf(pullInOrder(body * LINES + n))).join('\n')),
  );
}

function lineOf(event: WeirEvent): string {
  const { repository, tag, digest, platform, user, client } = event.data as {
    [name in 'repository' | 'tag' | 'digest' | 'platform']: string;
  } & { user: { email: string }; client: { name: string; version: string } };
  const tags = {
    architecture: platform.split('/')[1],
    client: client.name,
    organization: user.email.split('@')[1],
    os: 'linux',
    source: event.source,
  };
  const fields = {
    identity: identityKey(event),
    id: event.id,
    repository,
    tag,
    digest,
    platforms: platform,
    clientVersion: client.version,
  };
  const joined = (all: object, quote: string) =>
    Object.entries(all).map(([name, value]) => `${name}=${quote}${String(value)}${quote}`).join(','); // prettier-ignore
  return `pull,${joined(tags, '')} ${joined(fields, '"')} ${Date.parse(event.time)}123456`;
}

async function openInflux({ servers, onEnd }: Bench) {
  const { url } = await servers.influxdb();
  const { hostname, port, username, password } = new URL(url);
  const agent = new Agent({ keepAlive: true });
  onEnd(() => agent.destroy());
  const to: RequestOptions = {
    agent,
    hostname,
    port,
    auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
    method: 'POST',
  };

  const send = (path: string, body: Buffer | string, headers = {}): Promise<string> =>
    new Promise((resolve, reject) => {
      const asking = request({ ...to, path, headers: { ...headers, 'content-length': Buffer.byteLength(body) } });
      asking.on('error', reject).on('response', (response) => {
        response.toArray().then((parts) => {
          const text = Buffer.concat(parts as Buffer[]).toString();
          if ((response.statusCode ?? 500) < 300 && !text.includes('"error"')) resolve(text);
          else reject(new Error(`InfluxDB answers ${response.statusCode}: ${text}`));
        }, reject);
      });
      asking.end(body);
    });
  const ask = (database: string, statement: string): Promise<string> =>
    send(`/query?db=${database}`, `q=${encodeURIComponent(statement)}`, {
      'content-type': 'application/x-www-form-urlencoded',
    });

  return {
    url,
    send,
    async create(database: string): Promise<string> {
      await ask('', `CREATE DATABASE "${database}"`);
      return database;
    },
    async expectPoints(database: string, points: number): Promise<void> {
      const answer = await ask(database, 'SELECT count("identity") FROM "pull"');
      const stored = Number(/,(\d+)\]/.exec(answer)?.[1] ?? 0);
      if (stored !== points) throw new Error(`${stored} points are there of ${points}`);
    },
    /** Both sides must have asked the same of the server. */
    async expectAlike(one: string, other: string): Promise<void> {
      const keys = 'SHOW TAG KEYS FROM "pull"; SHOW FIELD KEYS FROM "pull"';
      const [found, wanted] = [await ask(one, keys), await ask(other, keys)];
      if (found !== wanted) throw new Error(`the points differ in their shape: ${found} and ${wanted}`);
    },
  };
}
