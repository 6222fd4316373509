import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startRabbitmq, type PrivateRabbitmq } from '../servers/rabbitmq';
import { startRedis } from '../servers/redis';
import type { PrivateServer } from '../servers/server';
import { loadState } from '../servers/state';

// The users of docker-compose.yml on servers of our own: made by the very scripts in deploy/ that the containers run.

export const root = join(__dirname, '../../../..');
export const deploy = (file: string): string => join(root, 'deploy', file);

/** What docker-compose.yml passes to a service, as it stands there: `{ NAME: 'value' }`. */
export function environmentOf(service: string): Record<string, string> {
  const lines = readFileSync(join(root, 'docker-compose.yml'), 'utf8').split('\n');
  const found: Record<string, string> = {};
  let [inService, inEnvironment] = [false, false];
  for (const line of lines) {
    if (/^ {2}\S/.test(line)) inService = line.trim() === `${service}:`;
    else if (/^\S/.test(line)) inService = false;
    if (/^ {0,4}\S/.test(line)) inEnvironment = inService && line.trim() === 'environment:';
    const [, name, value] = (inEnvironment && /^ {6}([A-Z][A-Z0-9_]*): *(.*)$/.exec(line)) || [];
    if (name !== undefined && value !== undefined) found[name] = value.replace(/^'(.*)'$/, '$1');
  }
  return found;
}

/** The passwords that docker-compose.yml asks a service's environment for, made up: `{ NAME: 'letters' }`. */
export function passwordsOf(service: string): Record<string, string> {
  const names = Object.keys(environmentOf(service)).filter((name) => name.endsWith('_PASSWORD'));
  return Object.fromEntries(names.map((name) => [name, `pw${name.replaceAll(/[^A-Z]/g, '')}`]));
}

/** RabbitMQ as the stack has it: nobody in it but the users of deploy/, and ours for readiness. */
export async function startStackRabbitmq(
  dir: string,
): Promise<{ broker: PrivateRabbitmq; urlOf(user: string): string }> {
  const passwords = passwordsOf('rabbitmq');
  const made = join(dir, 'run/definitions.json');
  const template = deploy('rabbitmq-definitions.json');
  await mkdir(dir, { recursive: true });
  await promisify(execFile)('sh', [deploy('rabbitmq-start.sh'), template, made, 'true'], {
    env: { PATH: process.env['PATH'], ...passwords },
  });
  const definitions = JSON.parse(await readFile(made, 'utf8')) as { users: object[]; permissions: object[] };
  const own = await loadState(dir, ['amqp', 'distribution', 'epmd']);
  definitions.users.push({ name: own.user, password: own.password, tags: ['administrator'] });
  definitions.permissions.push({ user: own.user, vhost: '/', configure: '.*', write: '.*', read: '.*' });
  await writeFile(made, JSON.stringify(definitions));
  const broker = await startRabbitmq({ dir, settings: [`load_definitions = ${made}`], startTimeoutMs: 150_000 });
  return {
    broker,
    urlOf(user) {
      const url = new URL(broker.url);
      url.username = user;
      url.password = passwords[`RABBITMQ_${user.toUpperCase().replaceAll('-', '_')}_PASSWORD`] ?? '';
      return url.href;
    },
  };
}

/** Redis with the users of the stack; `urlOf('stats')`. */
export async function startStackRedis(dir: string): Promise<{ redis: PrivateServer; urlOf(user: string): string }> {
  const passwords = passwordsOf('redis');
  const { stdout } = await promisify(execFile)('sh', [deploy('redis-users.sh')], {
    env: { PATH: process.env['PATH'], ...passwords },
  });
  // The default user stays for readiness here, as the one that the private server knows.
  const users = stdout.split('\n').filter((line) => line !== 'user default reset');
  const redis = await startRedis({ dir, settings: users });
  const variables: Readonly<Record<string, string>> = {
    operator: 'REDIS_OPERATOR_PASSWORD',
    gateway: 'REDIS_GATEWAY_PASSWORD',
    'redis-worker': 'REDIS_WORKER_PASSWORD',
    stats: 'REDIS_STATS_PASSWORD',
  };
  return {
    redis,
    urlOf(user) {
      const url = new URL(redis.url);
      url.username = user;
      url.password = passwords[variables[user] ?? ''] ?? '';
      return url.href;
    },
  };
}

/** Runs deploy/influxdb-users.sh against a server, as the image's entry point does. */
export async function makeInfluxUsers(admin: string, databases: { usage: string; flow: string }, dir: string) {
  const { origin, username, password } = new URL(admin);
  // What the entry point's `influx -execute` does; a program of its own, so that words stay words.
  const query = join(dir, 'query.js');
  await writeFile(
    query,
    `#!${process.execPath}
const authorization = 'Basic ' + Buffer.from(${JSON.stringify(`${username}:${password}`)}).toString('base64');
const body = new URLSearchParams({ q: process.argv[2] });
fetch(${JSON.stringify(`${origin}/query`)}, { method: 'POST', headers: { authorization }, body })
  .then((response) => response.text())
  .then((text) => { if (text.includes('"error"')) { console.error(text); process.exit(1); } });
`,
  );
  await chmod(query, 0o700);
  const passwords = passwordsOf('influxdb');
  await promisify(execFile)('sh', ['-ec', `. ${deploy('influxdb-users.sh')}`], {
    env: { PATH: process.env['PATH'], ...passwords, INFLUX_CMD: query, INFLUX_DATABASE: databases.usage, INFLUX_FLOW_DATABASE: databases.flow },
  }); // prettier-ignore
  return (user: 'weir' | 'grafana'): string => {
    const url = new URL(admin);
    url.username = user;
    url.password = passwords[`INFLUXDB_${user.toUpperCase()}_PASSWORD`] ?? '';
    return url.href;
  };
}
