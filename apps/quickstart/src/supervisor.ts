import { join, relative } from 'node:path';
import { ConfigError, StartError } from '@weir/service';
import { passedOn } from './apps';
import type { AppPart, Wiring } from './apps';
import type { Child } from './child';
import { ChildFailure, keepRunning } from './child';
import type { Endpoints } from './endpoints';
import { writeEndpoints } from './endpoints';
import type { Folder } from './folder';
import { removeFile, writeJson } from './folder';
import { boundLog, logPath, rotateLog } from './logs';
import type { Parts, RunningServer } from './parts';
import { claimPorts, freePort } from './ports';
import { endProcesses, markOf, processesOfRun } from './processes';
import type { RunFile, Stage } from './run-file';
import { ORGANIZATIONS } from './demo/rules';
import { keepSecrets, newBuildKeys } from './secrets';
import type { Secrets } from './secrets';
import { watchServer } from './server-watch';
import type { Settings } from './settings';
import type { Row } from './table';
import { withoutCredentials } from './table';

export interface Task {
  folder: Folder;
  runFile: RunFile;
  settings: Settings;
  /** The user's environment, of which each app gets its part. */
  environment: NodeJS.ProcessEnv;
  parts: Parts;
  demo: boolean;
  progress(text: string): void;
  notice(text: string): void;
  ask(question: string): Promise<boolean>;
}

/** Everything that runs, and the way to end it. */
export interface Up {
  endpoints: Endpoints;
  rows: Row[];
  publishers: { name: string; metricsUrl: string }[];
  /** Names of what does not run just now. */
  down(): string[];
}

/** How long an app may drain before it is forced; it is told a little less. */
const APP_GRACE_MS = 12_000;
const LOG_CHECK_MS = 30_000;
/** Where images come from when nobody has named a registry and none can be started here. */
const DOCKER_HUB = 'https://registry-1.docker.io';

/**
 * Brings everything up and takes it down again: servers, then apps, then the demo; down in the opposite order.
 *
 * `up` rejects with an error for people (see `explain`); `down` may be called at any time, also while `up` goes on,
 * and ends what there is by then.
 */
export function createSupervisor(task: Task): { up(): Promise<Up>; down(): Promise<void> } {
  const { folder, runFile, settings, parts } = task;
  const releases = new Map<Stage, (() => unknown)[]>();
  const children: Child[] = [];
  const unbreakable = new Set<Promise<unknown>>();
  let ending = false;

  const atEnd = (stage: Stage, release: () => unknown): void => {
    releases.set(stage, [...(releases.get(stage) ?? []), release]);
  };
  const mustGoOn = (): void => {
    if (ending) throw new StartError('It was told to stop while it was starting.');
  };
  /** Work that cannot be ended half, such as a server that is starting: `down` waits for it and then ends it whole. */
  const whole = <T>(work: Promise<T>): Promise<T> => {
    unbreakable.add(work);
    return work;
  };

  const up = async (): Promise<Up> => {
    const ports = await claimPorts(settings.HOST, wantedPorts(parts.apps, settings));
    const secrets = keepSecrets(folder);
    task.progress('Looking for RabbitMQ, Redis, InfluxDB and MongoDB, or starting them');
    const servers = await whole(findServers(task, atEnd));
    const url = (key: RunningServer['key']): string | undefined => servers.find((server) => server.key === key)?.url;
    const buildKeys = task.demo ? newBuildKeys(ORGANIZATIONS) : {};
    const wiring: Wiring = {
      settings,
      secrets,
      folder,
      pullFrom: await whole(pullFrom(url('registry'))),
      buildKeys,
      plainRegistries: [url('registry'), `http://${reachable(settings.HOST)}:${ports.get('GATEWAY_PORT')}`].flatMap(
        (at) => (at?.startsWith('http:') ? new URL(at).host : []),
      ),
      urls: {
        amqp: url('amqp') ?? '',
        redis: url('redis') ?? '',
        influx: url('influx') ?? '',
        mongodb: url('mongodb') ?? '',
      },
    };
    mustGoOn();
    task.progress(`Starting ${parts.apps.length} apps`);
    const started = await Promise.all(parts.apps.map((part) => startApp(part, wiring)));
    children.push(...started.map(({ child }) => child));
    await Promise.all(started.map(({ child }) => child.ready));
    mustGoOn();

    const endpoints = endpointsOf(servers, ports, secrets, settings);
    if (task.demo) startDemo(endpoints, buildKeys);
    mustGoOn();
    const bounding = setInterval(() => parts.apps.forEach(({ name }) => boundLog(logPath(folder, name))), LOG_CHECK_MS);
    atEnd('demo', () => clearInterval(bounding));
    const rows = rowsOf(servers, parts.apps, ports, task);
    writeEndpoints(folder, endpoints);
    runFile.set({ state: 'ready', rows });
    return {
      endpoints,
      rows,
      publishers: started
        .filter(({ part }) => part.stage === 'publisher')
        .map(({ part, admin }) => ({ name: part.name, metricsUrl: `${admin}/metrics` })),
      down: () => children.filter((child) => !child.running()).map(({ name }) => name),
    };

    async function startApp(part: AppPart, own: Wiring): Promise<{ part: AppPart; child: Child; admin: string }> {
      const adminPort = await freePort();
      mustGoOn();
      const admin = `http://${reachable(settings.HOST)}:${adminPort}`;
      const env = {
        ...passedOn(part, task.environment),
        ...part.environment(own),
        ...(part.portVariable ? { [part.portVariable]: String(ports.get(part.portVariable)) } : {}),
        HOST: settings.HOST,
        ADMIN_PORT: String(adminPort),
        SHUTDOWN_GRACE_SECONDS: String(APP_GRACE_MS / 1000 - 2),
        WEIR_RUN: runFile.run.id,
      };
      const logFile = rotateLog(folder, part.name);
      const child = keepRunning(
        { name: part.name, file: part.file, env, logFile, readyUrl: `${admin}/readyz`, mayLack: part.mayLack ?? [] },
        {
          onProcess: (name, mark) => runFile.record(name, part.stage, mark ? [mark] : []),
          notice: task.notice,
        },
      );
      atEnd(part.stage, () => child.stop(APP_GRACE_MS));
      return { part, child, admin };
    }
  };

  /** The user's rules, else the demo's, else the user's registry, else our own. */
  const pullFrom = async (registry: string | undefined): Promise<Wiring['pullFrom']> => {
    if (task.demo) {
      if (registry === undefined)
        throw new StartError('The demo needs a registry of its own: apt-get install docker-registry.');
      task.progress('Making the images of the demo');
      writeJson(join(folder.root, 'demo-rules.json'), await parts.demo.prepare(registry, settings.UPSTREAM));
      return { RULES_FILE: join(folder.root, 'demo-rules.json') };
    }
    if (settings.RULES_FILE !== undefined) return {};
    return { UPSTREAM: settings.UPSTREAM ?? registry ?? DOCKER_HUB };
  };

  const startDemo = (endpoints: Endpoints, buildKeys: Record<string, string>): void => {
    const { registry = '' } = endpoints; // without one, pullFrom has thrown
    const running = parts.demo.start({ ...endpoints, registry, buildKeys, notice: task.notice });
    atEnd('demo', () => running.stop());
  };

  const down = async (): Promise<void> => {
    ending = true;
    runFile.set({ state: 'stopping' });
    removeFile(folder.endpoints);
    await Promise.allSettled(unbreakable);
    for (const stage of ['demo', 'publisher', 'worker', 'server'] as const) {
      const of = releases.get(stage) ?? [];
      const results = await Promise.allSettled(of.map(async (release) => release()));
      for (const result of results)
        if (result.status === 'rejected') task.notice(`while stopping: ${String(result.reason)}`);
    }
    await endProcesses(processesOfRun(runFile.run.id), 2_000);
    runFile.remove();
  };

  return { up, down };
}

/** What failed, for people: the reason, and the end of the log of what failed. */
export function explain(error: unknown): string {
  if (error instanceof ChildFailure) {
    return [error.message, ...error.log.map((line) => `  ${error.child} │ ${line}`)].join('\n');
  }
  return error instanceof StartError || error instanceof ConfigError
    ? error.message
    : String((error as Error).message ?? error);
}

/** Finds or starts all servers, and looks after them from then on. */
async function findServers(
  task: Task,
  atEnd: (stage: Stage, release: () => unknown) => void,
): Promise<RunningServer[]> {
  const servers = await task.parts.findServers(task);
  for (const server of servers) {
    const record = (): void => {
      const marks = server.pids().flatMap((pid) => markOf(pid) ?? []);
      task.runFile.record(server.what, 'server', marks);
    };
    record();
    const watch = watchServer(server, record, task.notice);
    atEnd('server', async () => {
      watch.stop();
      await server.stop();
      task.runFile.record(server.what, 'server', []);
    });
    task.progress(`${server.what}: ${shortened(server.note, task.folder)}`);
  }
  return servers;
}

function wantedPorts(apps: readonly AppPart[], settings: Settings): { variable: string; port: number }[] {
  return apps.flatMap(({ portVariable }) =>
    portVariable ? [{ variable: portVariable, port: settings[portVariable] }] : [],
  );
}

function endpointsOf(
  servers: readonly RunningServer[],
  ports: ReadonlyMap<string, number>,
  secrets: Secrets,
  settings: Settings,
): Endpoints {
  const at = (variable: string): string => `http://${reachable(settings.HOST)}:${ports.get(variable)}`;
  return {
    gateway: at('GATEWAY_PORT'),
    ingest: at('INGEST_PORT'),
    buildService: at('BUILD_SERVICE_PORT'),
    stats: at('STATS_PORT'),
    ...Object.fromEntries(
      servers.flatMap(({ key, url, found }) => [
        [key, url],
        [`found.${key}`, found],
      ]),
    ),
    influxDatabase: settings.INFLUX_DATABASE,
    mongoDatabase: settings.MONGODB_DATABASE,
    ...secrets,
  } as Endpoints;
}

function rowsOf(
  servers: readonly RunningServer[],
  apps: readonly AppPart[],
  ports: ReadonlyMap<string, number>,
  { settings, folder }: Task,
): Row[] {
  return [
    ...apps.flatMap(({ name, portVariable, about }) =>
      portVariable
        ? [
            {
              what: name,
              where: `http://${reachable(settings.HOST)}:${ports.get(portVariable)}`,
              found: 'started',
              why: about,
            },
          ]
        : [],
    ),
    ...servers.map(({ what, url, found, note }) => ({
      what,
      where: withoutCredentials(url),
      found,
      why: shortened(note, folder),
    })),
  ];
}

/** A note with paths as short as a person at the repository's root would write them. */
function shortened(note: string, folder: Folder): string {
  return note.replaceAll(folder.root, relative(process.cwd(), folder.root) || '.');
}

/** Where to reach what listens on `host` from this machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
