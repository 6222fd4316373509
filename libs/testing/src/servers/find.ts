import { connect } from 'node:net';
import { join } from 'node:path';
import { brokersOf } from '@weir/service';
import { dockerAnswers, startContainer } from './docker';
import { startInfluxdb } from './influxdb';
import { startMongodb } from './mongodb';
import { cannotInstall, installPackages, missingPackages } from './packages';
import type { DebianPackage, InstallOptions } from './packages';
import { startRabbitmq } from './rabbitmq';
import { startRedis } from './redis';
import { startRegistry } from './registry';
import { ServerError } from './server';
import type { PrivateServer, Server, ServerName, StartOptions } from './server';
import { within } from './wait';

export interface FindOptions extends InstallOptions {
  /** Each server gets a directory of its own in here, for instance `.weir/servers`. */
  dir: string;
  /** URLs that the environment gives; such a server is used as it is. */
  urls?: Partial<Record<ServerName, string | undefined>>;
  /** False leaves Docker out. */
  docker?: boolean;
}

interface Kind {
  variable: string;
  /** MongoDB has none in Debian: its stand-in needs no package. */
  debianPackage?: DebianPackage;
  start(options: StartOptions): Promise<PrivateServer>;
}

const kinds: Record<ServerName, Kind> = {
  rabbitmq: { variable: 'AMQP_URL', debianPackage: 'rabbitmq-server', start: startRabbitmq },
  redis: { variable: 'REDIS_URL', debianPackage: 'redis-server', start: startRedis },
  influxdb: { variable: 'INFLUX_URL', debianPackage: 'influxdb', start: startInfluxdb },
  mongodb: { variable: 'MONGODB_URL', start: startMongodb },
  registry: { variable: 'REGISTRY_URL', debianPackage: 'docker-registry', start: startRegistry },
};

/**
 * Finds or starts each of the servers, all at once, in the order of DESIGN section 6: its URL is given → used; a Docker
 * engine answers → its container; its program is on the PATH → a private instance; Debian or Ubuntu as root → its
 * package is installed first. What Docker cannot start (no image, no network) is tried the other ways.
 * If one server cannot be had, those that were started are stopped again.
 * @throws ServerError that names every server that cannot be had and what to do.
 */
export async function findServers<Name extends ServerName>(
  names: readonly Name[],
  options: FindOptions,
): Promise<Record<Name, Server>> {
  const found: Partial<Record<ServerName, Server>> = {};
  const problems: string[] = [];
  const attempt = (each: readonly ServerName[], how: (name: ServerName) => Promise<Server>) =>
    Promise.all(
      each.map(async (name) => {
        try {
          found[name] = await how(name);
        } catch (error) {
          problems.push(`${name}: ${(error as Error).message}`);
        }
      }),
    );
  const open = () => names.filter((name) => found[name] === undefined);

  const given = open().filter((name) => options.urls?.[name]);
  await attempt(given, (name) => useUrl(name, options.urls?.[name] ?? ''));
  if (problems.length === 0 && open().length > 0 && options.docker !== false && (await dockerAnswers())) {
    await attempt(open(), (name) => startContainer(name, { dir: join(options.dir, `${name}-container`) }));
    for (const problem of problems.splice(0)) options.progress(`${problem}; trying a program of this machine`);
  }
  if (problems.length === 0) {
    await installFor(open(), options);
    await attempt(open(), (name) => kinds[name].start({ dir: join(options.dir, name) }));
  }

  if (problems.length === 0) return found as Record<Name, Server>;
  await Promise.all(Object.values(found).map((server) => server.stop()));
  throw new ServerError(problems.join('\n'));
}

async function installFor(names: readonly ServerName[], options: InstallOptions): Promise<void> {
  const missing = missingPackages(names.flatMap((name) => kinds[name].debianPackage ?? []));
  if (missing.length === 0) return;
  if (cannotInstall() === undefined) return installPackages(missing, options);
  // Where nothing can be installed, say it for all of them, with every other way that there is.
  const variables = names.flatMap((name) => (kinds[name].debianPackage ? kinds[name].variable : []));
  throw new ServerError(
    `Not installed: ${missing.join(', ')}, and ${cannotInstall()}. ` +
      `Start a Docker engine, or install them, or give the URLs of running servers (${variables.join(', ')}).`,
  );
}

async function useUrl(name: ServerName, url: string): Promise<Server> {
  const { variable } = kinds[name];
  const hosts = (name === 'rabbitmq' ? brokersOf(url) : [url]).map((each) => parse(variable, each));
  const shown = hosts.map(({ host }) => host).join(', ');
  if (hosts[0]?.protocol !== 'mongodb+srv:') {
    const reached = hosts.map(({ hostname, port, protocol }) =>
      reach(hostname, Number(port) || defaultPort(name, protocol)),
    );
    // Of several brokers one is enough.
    const any = Promise.any(reached).catch(({ errors }: AggregateError) => Promise.reject(errors[0] as Error));
    await within(5_000, shown, any).catch((error: Error) => {
      throw new ServerError(`${variable} names a server at ${shown} that cannot be reached (${error.message}).`);
    });
  }
  return { name, url, found: 'url', note: `${shown}, from ${variable}`, pids: [], stop: async () => {} };
}

function parse(variable: string, url: string): URL {
  try {
    // Several hosts are allowed for MongoDB only; the first one answers for all.
    return new URL(url.replace(/^(mongodb:\/\/[^/,]+),[^/]*/, '$1'));
  } catch {
    throw new ServerError(`${variable} is not a URL.`);
  }
}

function defaultPort(name: ServerName, protocol: string): number {
  if (protocol === 'https:') return 443;
  if (protocol === 'amqps:') return 5671;
  return { rabbitmq: 5672, redis: 6379, influxdb: 80, mongodb: 27017, registry: 80 }[name];
}

function reach(hostname: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port }, () => {
      socket.destroy();
      resolve();
    });
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
  });
}
