import { findServers, installPackages, missingPackages } from '@weir/testing/servers';
import type { DebianPackage, PrivateServer, Server } from '@weir/testing/servers';
import type { ServerKey } from './endpoints';
import type { RunningServer, ServerRequest } from './parts';

/** The servers under the names that addresses have, that libs/testing has, and that people have. */
const NAMES = [
  { key: 'amqp', name: 'rabbitmq', what: 'RabbitMQ' },
  { key: 'redis', name: 'redis', what: 'Redis' },
  { key: 'influx', name: 'influxdb', what: 'InfluxDB' },
  { key: 'mongodb', name: 'mongodb', what: 'MongoDB' },
  { key: 'registry', name: 'registry', what: 'Registry' },
] as const satisfies { key: ServerKey; name: Server['name']; what: string }[];

/**
 * Finds or starts the servers of Weir, all at once, each as DESIGN section 6 says; with them a registry, where the
 * gateway would have nothing else to stand in front of and one can be had.
 *
 * @throws ServerError that names every server that cannot be had and what to do.
 */
export async function findWeirServers(request: ServerRequest): Promise<RunningServer[]> {
  const { settings, demo, folder, ask, progress } = request;
  const wantsRegistry = demo || (settings.UPSTREAM === undefined && settings.RULES_FILE === undefined);
  await installTools(['skopeo', 'buildah', ...(wantsRegistry ? (['docker-registry'] as const) : [])], request);
  const hasRegistry = demo || (wantsRegistry && missingPackages(['docker-registry']).length === 0);

  const wanted = NAMES.filter(({ key }) => key !== 'registry' || hasRegistry);
  const found = await findServers(
    wanted.map(({ name }) => name),
    {
      dir: folder.data,
      urls: {
        rabbitmq: settings.AMQP_URL,
        redis: settings.REDIS_URL,
        influxdb: settings.INFLUX_URL,
        mongodb: settings.MONGODB_URL,
      },
      ask,
      progress,
    },
  );
  return wanted.map(({ key, name, what }) => running(key, what, found[name]));
}

/** Programs that Weir can do without: where they cannot be installed, it is said what that means. */
async function installTools(packages: readonly DebianPackage[], { ask, progress }: ServerRequest): Promise<void> {
  try {
    await installPackages(packages, { ask, progress });
  } catch (error) {
    progress(`Without them builds, mirrors or the local registry are missing. ${(error as Error).message}`);
  }
}

function running(key: ServerKey, what: string, server: Server): RunningServer {
  const { url, found, note } = server;
  return {
    key,
    what,
    url,
    found,
    note,
    pids: () => server.pids,
    stop: () => server.stop(),
    ...(isPrivate(server) && {
      logFile: server.logFile,
      async restart() {
        await server.stop(); // of several processes, one may still run
        await server.start();
      },
    }),
  };
}

function isPrivate(server: Server): server is PrivateServer {
  return 'start' in server;
}
