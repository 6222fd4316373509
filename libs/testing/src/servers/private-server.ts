import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { RunningProcess } from './process';
import { ServerError } from './server';
import type { PrivateServer, ServerName } from './server';

/** What makes one kind of server; `privateServer` adds the life cycle, which is the same for all. */
export interface PrivateServerSpec {
  name: ServerName;
  url: string;
  tlsUrl?: string;
  dir: string;
  note: string;
  /** A stand-in says so; anything else is a `program`. */
  found?: 'program' | 'stand-in';
  /** Starts the processes, the main one last; they are ended in the opposite order. */
  launch(): Promise<RunningProcess[]>;
}

/** Starts a server of our own and gives the handle to it. */
export async function privateServer(spec: PrivateServerSpec): Promise<PrivateServer> {
  let processes: RunningProcess[] = await spec.launch();
  const main = () => {
    const last = processes.at(-1);
    if (!last) throw new ServerError(`${spec.name} is not running; start() it first.`);
    return last;
  };
  const logFile = main().logFile;

  const endAll = async (end: (running: RunningProcess) => Promise<void>) => {
    const ending = processes;
    processes = [];
    for (const running of ending.reverse()) await end(running);
  };

  return {
    name: spec.name,
    url: spec.url,
    found: spec.found ?? 'program',
    note: spec.note,
    dir: spec.dir,
    logFile,
    ...(spec.tlsUrl === undefined ? {} : { tlsUrl: spec.tlsUrl }),
    get pids() {
      return processes.map((running) => running.pid);
    },
    suspend: () => main().signal('SIGSTOP'),
    resume: () => main().signal('SIGCONT'),
    stop: () => endAll((running) => running.stop()),
    kill: () => endAll((running) => running.kill()),
    start: async () => {
      if (processes.at(-1)?.ended === undefined && processes.length > 0) {
        throw new ServerError(`${spec.name} is running already; stop() or kill() it first.`);
      }
      await endAll((running) => running.kill());
      processes = await spec.launch();
    },
  };
}

/** The full path of a program on the PATH (or in /usr/sbin), or undefined. */
export function findProgram(name: string): string | undefined {
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/lib/rabbitmq/bin'];
  return dirs.map((dir) => join(dir, name)).find(isExecutable);
}

/** As `findProgram`, but a missing program is an error that says how to get it. */
export function needProgram(program: string, debianPackage: string): string {
  const found = findProgram(program);
  if (found !== undefined) return found;
  throw new ServerError(
    `${program} is not installed. On Debian or Ubuntu: apt-get install ${debianPackage}. ` +
      'Or give the URL of a running server in the environment.',
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
