import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import type { Case, World } from '../case';
import type { StoreName } from '../oracle';
import type { AppName, LinkName, ServerName } from '../system';

/** A password that is no longer right, and then is again: F61. */

interface Secret {
  server: ServerName;
  url(world: World): string;
  apps: readonly AppName[];
  links: readonly LinkName[];
  others: readonly StoreName[];
  /** Opens the door while the old password is still right, to change it, and to change it back. */
  open(
    world: World,
    url: URL,
  ): Promise<{ change(from: string, to: string): Promise<unknown>; close(): Promise<unknown> }>;
}

const user = (url: URL) => decodeURIComponent(url.username);

const SECRETS: readonly Secret[] = [
  {
    server: 'rabbitmq',
    url: ({ system }) => system.direct.amqp,
    apps: ['ingest', 'redis-worker', 'influx-worker', 'mongo-worker'],
    links: ['ingest>rabbitmq', 'redis-worker>rabbitmq', 'influx-worker>rabbitmq', 'mongo-worker>rabbitmq'],
    others: [],
    open: async ({ system }, url) => ({
      change: (_from, to) =>
        system.evaluate(
          `ok = rabbit_auth_backend_internal:change_password(<<"${user(url)}">>, <<"${to}">>, <<"chaos">>).`,
        ),
      close: async () => {},
    }),
  },
  {
    server: 'redis',
    url: ({ system }) => system.direct.redis,
    apps: ['redis-worker'],
    links: ['redis-worker>redis'],
    others: ['influx', 'mongo'],
    async open(_world, url) {
      const redis = new Redis(url.toString());
      await redis.ping();
      return { change: (_from, to) => redis.config('SET', 'requirepass', to), close: async () => redis.disconnect() };
    },
  },
  {
    server: 'influxdb',
    url: ({ system }) => system.direct.influx,
    apps: ['influx-worker'],
    links: ['influx-worker>influxdb'],
    others: ['redis', 'mongo'],
    open: async (_world, url) => ({
      async change(from, to) {
        const response = await fetch(`${url.origin}/query`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`${user(url)}:${from}`).toString('base64')}` },
          body: new URLSearchParams({ q: `SET PASSWORD FOR "${user(url)}" = '${to}'` }),
        });
        if (!response.ok) throw new Error(`InfluxDB answers ${response.status}: ${await response.text()}`);
      },
      close: async () => {},
    }),
  },
  {
    server: 'mongodb',
    url: ({ system }) => system.direct.mongodb,
    apps: ['mongo-worker'],
    links: ['mongo-worker>mongodb'],
    others: ['redis', 'influx'],
    async open(_world, url) {
      const client = await MongoClient.connect(url.toString(), { directConnection: true, maxPoolSize: 1 });
      const change = (_from: string, to: string) => client.db('admin').command({ updateUser: user(url), pwd: to });
      return { change, close: () => client.close() };
    },
  },
];

const WRONG_MS = 10_000;
/** Of one app in that time: a line per attempt would be one for every second or two. */
const MOST_LINES = 20;

async function playSecret(world: World, secret: Secret): Promise<void> {
  const { apps, links } = secret;
  const url = new URL(secret.url(world));
  const old = decodeURIComponent(url.password);
  const other = randomBytes(16).toString('hex');
  const door = await secret.open(world, url);
  const restore = async (): Promise<void> => {
    await Promise.all(links.map((link) => world.link(link).refuse()));
    await door.change(other, old);
    await door.close();
  };
  try {
    world.load();
    if (secret.others.length > 0) world.watchLag(secret.others);
    await world.pause(1_000);
    await door.change(old, other);
    for (const link of links) world.link(link).cut();
    for (const name of apps) await tellsOfIt(world, name);

    const before = await Promise.all(apps.map((name) => linesOf(world, name)));
    await world.pause(WRONG_MS);
    for (const [at, name] of apps.entries()) {
      const lines = (await linesOf(world, name)) - (before[at] ?? 0);
      if (lines > MOST_LINES) throw new Error(`${name} wrote ${lines} lines about it in ${WRONG_MS / 1000} s`);
    }
  } finally {
    await restore();
  }
  await Promise.all(links.map((link) => world.link(link).heal()));
  await Promise.all(apps.map((name) => world.app(name).ready(60_000)));
  await noSecretIsTold(world, [old, other]);
}

/** Its readiness, or its log where it can go on without (ingest spools), says what is refused, and which variable gave it. */
async function tellsOfIt(world: World, name: AppName): Promise<void> {
  let said: unknown[] = [];
  let clear: unknown;
  const told = async () => {
    const log = (await readFile(world.app(name).logFile, 'utf8')).split('\n');
    const reasons = log.map((line) => /"reason":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1]);
    said = [...Object.values((await world.app(name).readiness())?.checks ?? {}), reasons.findLast(Boolean)];
    clear = said.find((word) => typeof word === 'string' && /refuse/.test(word) && /_URL/.test(word));
    return clear !== undefined;
  };
  await world.until('', told, 30_000).catch(() => {
    throw new Error(`${name} does not say in 30 s that its password is refused, but: ${JSON.stringify(said)}`);
  });
  world.log(`${name}: ${String(clear)}`);
}

async function linesOf(world: World, name: AppName): Promise<number> {
  return (await readFile(world.app(name).logFile, 'utf8')).split('\n').length;
}

/** No password, as it is or as it stands in a header, in any log of any app. */
async function noSecretIsTold(world: World, secrets: readonly string[]): Promise<void> {
  const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '')]);
  for (const app of world.system.apps()) {
    const log = await readFile(app.logFile, 'utf8');
    const at = forms.findIndex((form) => log.includes(form));
    if (at >= 0) throw new Error(`the log of ${app.name} tells a password`);
  }
}

export const secretCases: readonly Case[] = SECRETS.map((secret) => ({
  id: `F61-${secret.server}`,
  title: `the password for ${secret.server} is changed, and changed back`,
  system: 'shared',
  play: (world) => playSecret(world, secret),
}));
