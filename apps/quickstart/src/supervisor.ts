import { join } from 'node:path';
import { ConfigError, StartError } from '@weir/service';
import { endpointsOf, rowsOf, shortened } from './addresses';
import { passedOn } from './apps';
import type { AppPart, Wiring } from './apps';
import { ChildFailure, keepRunning } from './child';
import type { Endpoints } from './endpoints';
import { writeEndpoints } from './endpoints';
import type { Folder } from './folder';
import { removeFile, writeJson } from './folder';
import { boundLog, rotateLog } from './logs';
import type { Parts, RunningServer } from './parts';
import { claimPorts, freePort } from './ports';
import { RUN_VARIABLE, endProcesses, markOf, processesOfRun } from './processes';
import { watchReadiness } from './readiness';
import type { RunFile, Stage } from './run-file';
import { ORGANIZATIONS } from './demo/rules';
import { keepSecrets, newBuildKeys } from './secrets';
import { watchServer } from './server-watch';
import type { Settings } from './settings';
import type { Row } from './table';
import type { WarmProcess } from './warm';
import { warmUp } from './warm';

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

type Ports = ReadonlyMap<string, number>;

interface PreparedApp {
  part: AppPart;
  /** What is known of its environment before the servers are. */
  env: Record<string, string>;
  logFile: string;
  warm: WarmProcess;
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
    const prepared = parts.apps.map(prepareApp);
    task.progress('Looking for RabbitMQ, Redis, InfluxDB and MongoDB, or starting them');
    const servers = await whole(findServers(task, atEnd));
    const endpoints = endpointsOf(servers, ports, secrets, settings);
    const buildKeys = task.demo ? newBuildKeys(ORGANIZATIONS) : {};
    const pullingFrom = await whole(pullFrom(endpoints.registry));
    mustGoOn();

    task.progress(`Starting ${parts.apps.length} apps`);
    const wiring: Wiring = { settings, secrets, folder, endpoints, pullFrom: pullingFrom, buildKeys };
    const apps = await Promise.all(prepared.map((app) => startApp(app, wiring, ports)));
    await Promise.all(apps.map(({ child }) => child.ready));
    mustGoOn();

    if (task.demo) startDemo(endpoints, buildKeys);
    const readiness = watchReadiness(apps, task.notice);
    const logFiles = [...apps, ...servers].flatMap(({ logFile }) => logFile ?? []);
    const logs = setInterval(() => logFiles.forEach((file) => boundLog(file)), LOG_CHECK_MS);
    atEnd('demo', () => {
      readiness.stop();
      clearInterval(logs);
    });
    const rows = rowsOf(servers, parts.apps, ports, task);
    writeEndpoints(folder, endpoints);
    runFile.set({ state: 'ready', rows });
    const down = (): string[] => apps.flatMap(({ name, child }) => (child.running() ? [] : [name]));
    return { endpoints, rows, publishers: apps.filter(({ stage }) => stage === 'publisher'), down };
  };

  /** An app's process is there before its servers are: what it has to load is loaded by then. */
  let turn = Promise.resolve();
  const prepareApp = (part: AppPart): PreparedApp => {
    const env = { ...passedOn(part, task.environment), HOST: settings.HOST, [RUN_VARIABLE]: runFile.run.id };
    const logFile = rotateLog(folder, part.name);
    const warm = warmUp(part.file, env, logFile, turn);
    turn = warm.loaded;
    atEnd(part.stage, () => warm.discard());
    return { part, env, logFile, warm };
  };

  const startApp = async ({ part, warm, logFile, ...prepared }: PreparedApp, wiring: Wiring, ports: Ports) => {
    const { name, stage, file, portVariable, mayLack = [] } = part;
    const adminPort = await freePort();
    mustGoOn();
    const admin = `http://127.0.0.1:${adminPort}`;
    const readyUrl = `${admin}/readyz`;
    const env = {
      ...prepared.env,
      ...part.environment(wiring),
      ...(portVariable && { [portVariable]: String(ports.get(portVariable)) }),
      ADMIN_PORT: String(adminPort),
      SHUTDOWN_GRACE_SECONDS: String(APP_GRACE_MS / 1000 - 2),
    };
    const child = keepRunning(
      { name, file, env, warm, logFile, readyUrl, mayLack },
      { onProcess: (mark) => runFile.record(name, stage, mark ? [mark] : []), notice: task.notice },
    );
    atEnd(stage, () => child.stop(APP_GRACE_MS));
    return { name, stage, child, logFile, readyUrl, mayLack, metricsUrl: `${admin}/metrics` };
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
