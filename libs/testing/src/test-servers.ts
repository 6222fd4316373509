import { request } from 'node:http';
import type { Shared } from './jest/share';
import type { ServerName } from './servers/server';

/**
 * The servers that all tests of a jest run share. Each is started when the first test asks for it (RabbitMQ takes some
 * five seconds) or is the one that `WEIR_TEST_AMQP_URL` and so on name. A test that stops or breaks a server starts
 * its own instead: `startRedis({ dir })`.
 */
export interface TestServers {
  /** `amqp://user:password@host:port`, the virtual host `/`; for one of your own see `isolated.amqp`. */
  amqp(): Promise<string>;
  /** `redis://:password@host:port` */
  redis(): Promise<string>;
  /** `http://user:password@host:port`, an InfluxDB 1.x admin */
  influx(): Promise<string>;
  /** `mongodb://user:password@host:port` */
  mongodb(): Promise<string>;
  /** `http://host:port`, an OCI registry without login */
  registry(): Promise<string>;
}

export function testServers(): TestServers {
  return {
    amqp: () => urlOf('rabbitmq'),
    redis: () => urlOf('redis'),
    influx: () => urlOf('influxdb'),
    mongodb: () => urlOf('mongodb'),
    registry: () => urlOf('registry'),
  };
}

/** An empty place on a shared server that no other test sees. */
export interface Isolated {
  /** Leads to the place itself where the protocol allows it (virtual host, logical database). */
  url: string;
  /** Removes it with all that is in it. */
  remove(): Promise<void>;
}

/** An empty place with a name, for servers whose URL does not carry it. */
export interface IsolatedDatabase extends Isolated {
  database: string;
}

/** Fresh, empty places on the shared servers, one call for each test file: `const { url, remove } = await isolated.amqp();` */
export const isolated = {
  /** A virtual host; on a RabbitMQ given by `WEIR_TEST_AMQP_URL` it is the one in that URL, for AMQP cannot make one. */
  async amqp(): Promise<Isolated> {
    const { url } = await ask('POST', '/rabbitmq/vhosts');
    const vhost = new URL(url).pathname.slice(1);
    return { url, remove: async () => void (await ask('DELETE', `/rabbitmq/vhosts/${vhost}`)) };
  },

  /** A logical database that was empty; one that holds anything is passed over, for it might be somebody's. */
  async redis(): Promise<Isolated> {
    const { Redis } = await import('ioredis');
    for (;;) {
      const { url: server, serial } = await ask('POST', '/redis');
      const url = `${server.replace(/\/\d*$/, '')}/${serial}`;
      const onDatabase = async <T>(body: (redis: InstanceType<typeof Redis>) => Promise<T>): Promise<T> => {
        const redis = new Redis(server, { maxRetriesPerRequest: 3 });
        try {
          await redis.select(serial);
          return await body(redis);
        } finally {
          redis.disconnect();
        }
      };
      if ((await onDatabase((redis) => redis.dbsize())) > 0) continue;
      return { url, remove: async () => void (await onDatabase((redis) => redis.flushdb())) };
    }
  },

  /** A database that has been created. */
  async influx(): Promise<IsolatedDatabase> {
    const { url, serial } = await ask('POST', '/influxdb');
    const database = `test_${process.pid}_${serial}`;
    await influxQuery(url, `CREATE DATABASE "${database}"`);
    return { url, database, remove: () => influxQuery(url, `DROP DATABASE "${database}"`) };
  },

  /** A database name that nothing is stored under. */
  async mongodb(): Promise<IsolatedDatabase> {
    const { url, serial } = await ask('POST', '/mongodb');
    const database = `test_${process.pid}_${serial}`;
    const remove = async () => {
      const { MongoClient } = await import('mongodb');
      const client = await MongoClient.connect(url);
      try {
        await client.db(database).dropDatabase();
      } finally {
        await client.close();
      }
    };
    return { url, database, remove };
  },
};

async function urlOf(name: ServerName): Promise<string> {
  return (await ask('POST', `/${name}`)).url;
}

async function influxQuery(server: string, q: string): Promise<void> {
  const { origin, username, password } = new URL(server);
  const response = await fetch(`${origin}/query`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ q }).toString(),
  });
  const text = await response.text();
  if (!response.ok || text.includes('"error"')) throw new Error(`InfluxDB refused ${q}: ${text}`);
}

/** Asks the process that holds the servers; see jest/share.ts. */
function ask(method: string, path: string): Promise<Shared> {
  const socketPath = process.env['WEIR_TEST_SERVERS'];
  if (!socketPath) throw new Error('There are no test servers here: they are shared by a jest run (npx jest <path>).');
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body) as Shared);
        else reject(new Error(body));
      });
    });
    asked.once('error', reject);
    asked.end();
  });
}
