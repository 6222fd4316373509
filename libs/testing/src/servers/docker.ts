import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { influxdbAnswers } from './influxdb';
import { mongodbAnswers } from './mongodb';
import { findProgram, needProgram } from './private-server';
import { rabbitmqAnswers } from './rabbitmq';
import { redisAnswers } from './redis';
import { registryAnswers } from './registry';
import { ServerError } from './server';
import type { Server, ServerName } from './server';
import { loadState } from './state';
import { until } from './wait';

interface Login {
  port: number;
  user: string;
  password: string;
}

/** How one kind of server is run as a container. */
interface Recipe {
  image: string;
  /** The port inside the container. */
  port: number;
  /** Where it keeps its data inside the container; a volume is mounted there. */
  data: string;
  environment(login: Login): Record<string, string>;
  args?(login: Login): string[];
  url(login: Login): string;
  ready(login: Login): Promise<unknown>;
}

const local = ({ user, password, port }: Login) => `${user}:${password}@127.0.0.1:${port}`;

/** The versions are those of docker-compose.yml. */
const recipes: Record<ServerName, Recipe> = {
  rabbitmq: {
    image: 'rabbitmq:4.1.4',
    port: 5672,
    data: '/var/lib/rabbitmq',
    environment: ({ user, password }) => ({ RABBITMQ_DEFAULT_USER: user, RABBITMQ_DEFAULT_PASS: password }),
    url: (login) => `amqp://${local(login)}`,
    ready: (login) => rabbitmqAnswers(`amqp://${local(login)}`),
  },
  redis: {
    image: 'redis:7.4.5',
    port: 6379,
    data: '/data',
    environment: () => ({}),
    args: ({ password }) =>
      `redis-server --requirepass ${password} --appendonly yes --maxmemory-policy noeviction --databases 1024`.split(
        ' ',
      ),
    url: ({ password, port }) => `redis://default:${password}@127.0.0.1:${port}`,
    ready: ({ password, port }) => redisAnswers(port, password),
  },
  influxdb: {
    image: 'influxdb:1.12.3',
    port: 8086,
    data: '/var/lib/influxdb',
    environment: () => ({ INFLUXDB_HTTP_AUTH_ENABLED: 'true', INFLUXDB_REPORTING_DISABLED: 'true' }),
    url: (login) => `http://${local(login)}`,
    ready: ({ user, password, port }) => influxdbAnswers(`http://127.0.0.1:${port}`, user, password),
  },
  mongodb: {
    image: 'mongo:8.0.12',
    port: 27017,
    data: '/data/db',
    environment: ({ user, password }) => ({ MONGO_INITDB_ROOT_USERNAME: user, MONGO_INITDB_ROOT_PASSWORD: password }),
    url: (login) => `mongodb://${local(login)}`,
    ready: ({ user, password, port }) => mongodbAnswers(port, user, password),
  },
  registry: {
    image: 'registry:2.8.3',
    port: 5000,
    data: '/var/lib/registry',
    environment: () => ({ REGISTRY_STORAGE_DELETE_ENABLED: 'true' }),
    url: ({ port }) => `http://127.0.0.1:${port}`,
    ready: ({ port }) => registryAnswers(`http://127.0.0.1:${port}`),
  },
};

/** Whether a Docker engine answers; a client without an engine does not count. */
export async function dockerAnswers(): Promise<boolean> {
  if (findProgram('docker') === undefined) return false;
  return docker(['version', '--format', '{{.Server.Version}}'], 10_000).then(
    (version) => version.trim() !== '',
    () => false,
  );
}

/**
 * Starts a server as a container: its port is published on loopback only, its data are in a volume of the same name,
 * so that the next start has them again.
 * @throws ServerError for instance when the image is not here and cannot be pulled.
 */
export async function startContainer(name: ServerName, options: { dir: string }): Promise<Server> {
  const recipe = recipes[name];
  const { ports, user, password } = await loadState(options.dir, ['container']);
  const login: Login = { port: ports.container, user, password };
  // Two working copies on one machine must not share a container.
  const container = `weir-${name}-${createHash('sha256').update(options.dir).digest('hex').slice(0, 8)}`;
  const remove = () => docker(['rm', '--force', container], 60_000).then(() => undefined);

  await remove().catch(() => {}); // one that a killed run has left
  await docker(
    [
      'run',
      '--detach',
      ...['--name', container, '--hostname', container],
      ...['--publish', `127.0.0.1:${login.port}:${recipe.port}`],
      ...['--volume', `${container}:${recipe.data}`],
      ...Object.entries(recipe.environment(login)).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      recipe.image,
      ...(recipe.args?.(login) ?? []),
    ],
    600_000,
  );
  try {
    await until(`${name} in container ${container} did not start`, () => recipe.ready(login), { timeoutMs: 120_000 });
  } catch (error) {
    await remove();
    throw new ServerError((error as Error).message, { cause: error });
  }
  return {
    name,
    url: recipe.url(login),
    found: 'docker',
    note: `container ${container} of ${recipe.image}, data in the volume of that name`,
    pids: [],
    stop: async () => {
      await docker(['stop', '--time', '20', container], 60_000).catch(() => {});
      await remove();
    },
  };
}

function docker(args: readonly string[], timeoutMs: number): Promise<string> {
  const program = needProgram('docker', 'docker.io');
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { env: process.env, timeout: timeoutMs, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        if (!error) resolve(stdout);
        else reject(new ServerError(`docker ${args[0]} failed: ${stderr.trim().split('\n').at(-1) || error.message}`));
      },
    );
  });
}
