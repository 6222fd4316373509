import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerError } from './server';
import { until } from './wait';

/** One process of a server. */
export interface ProcessSpec {
  /** Names its log and pid file: `<dir>/<name>.log`, `<dir>/<name>.pid`. */
  name: string;
  program: string;
  args: readonly string[];
  dir: string;
  /** Added to PATH and the locale of this process; nothing else of the environment is passed on. */
  env?: Record<string, string>;
  /** Resolves when the process really answers; it is called again and again until then. */
  ready(): Promise<unknown>;
  startTimeoutMs?: number;
  /** How long SIGTERM may take before SIGKILL follows; 10 s unless told. */
  stopTimeoutMs?: number;
}

export interface RunningProcess {
  readonly pid: number;
  /** How it ended, if it has: `it ended by SIGKILL`. */
  readonly ended: string | undefined;
  readonly logFile: string;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL; resolves when it is gone. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * Starts a process and resolves when it answers. It runs in a process group of its own, so that Ctrl-C on the terminal
 * does not take the broker away from under apps that still drain; if this process dies without stopping it, the kernel
 * sends it SIGTERM (Linux only).
 */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  const pidFile = join(spec.dir, `${spec.name}.pid`);
  const logFile = join(spec.dir, `${spec.name}.log`);
  const log = openSync(logFile, 'a', 0o600);
  const [program, args] = tethered(spec.program, spec.args);
  const child = spawn(program, args, {
    cwd: spec.dir,
    env: { ...basicEnvironment(), ...spec.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const ended = endOf(child);
  if (child.pid === undefined) throw new ServerError(`${spec.program} could not be started: ${await ended}`);
  const pid = child.pid;
  writeFileSync(pidFile, `${pid} ${startTicksOf(pid) ?? ''}\n`);

  let end: string | undefined;
  void ended.then((how) => (end = how));
  const running: RunningProcess = {
    pid,
    get ended() {
      return end;
    },
    logFile,
    signal: (signal) => void sendSignal(child, signal),
    stop: async () => {
      sendSignal(child, 'SIGCONT');
      sendSignal(child, 'SIGTERM');
      const timer = setTimeout(() => sendSignal(child, 'SIGKILL'), spec.stopTimeoutMs ?? 10_000);
      await ended;
      clearTimeout(timer);
      rmSync(pidFile, { force: true });
    },
    kill: async () => {
      sendSignal(child, 'SIGKILL');
      await ended;
      rmSync(pidFile, { force: true });
    },
  };

  try {
    await until(`${spec.name} did not start`, () => spec.ready(), {
      timeoutMs: spec.startTimeoutMs ?? 60_000,
      giveUp: () => end,
    });
  } catch (error) {
    await running.kill();
    const message = error instanceof Error ? error.message : String(error);
    throw new ServerError(`${message}. The end of ${logFile}:\n${lastLines(logFile, 15)}`, { cause: error });
  }
  return running;
}

/**
 * Ends the processes that an earlier run left behind in a server's directory, so that two never share one set of data.
 * A process is known by its id and its start time: another one that has got the same id since is left alone.
 */
export async function endLeftovers(dir: string): Promise<void> {
  const pidFiles = existsSync(dir) ? readdirSync(dir).filter((file) => file.endsWith('.pid')) : [];
  for (const pidFile of pidFiles) {
    const [pidText = '', ticks = ''] = readFileSync(join(dir, pidFile), 'utf8').trim().split(' ');
    const pid = Number(pidText);
    const lives = () => pid > 1 && ticks !== '' && startTicksOf(pid) === ticks;
    if (lives()) await endForeign(pid, lives);
    rmSync(join(dir, pidFile), { force: true });
  }
}

async function endForeign(pid: number, lives: () => boolean): Promise<void> {
  const gone = () => {
    if (lives()) throw new Error('it lives on');
  };
  process.kill(pid, 'SIGCONT');
  process.kill(pid, 'SIGTERM');
  try {
    await until(`process ${pid} did not end`, gone, { timeoutMs: 15_000 });
  } catch {
    if (lives()) process.kill(pid, 'SIGKILL');
    await until(`process ${pid} did not end`, gone, { timeoutMs: 5_000 });
  }
}

/** When a process was started, in clock ticks since boot (proc(5), field 22): tells a process from a later one with its id. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : rest[18];
  } catch {
    return undefined;
  }
}

function tethered(program: string, args: readonly string[]): [string, readonly string[]] {
  const setpriv = '/usr/bin/setpriv';
  if (process.platform !== 'linux' || !existsSync(setpriv)) return [program, args];
  return [setpriv, ['--pdeathsig', 'TERM', '--', program, ...args]];
}

function basicEnvironment(): Record<string, string> {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LANG: 'C.UTF-8', TZ: 'UTC' };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ? `it ended by ${signal}` : `it ended with exit code ${code}`));
  });
}

function sendSignal(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

function lastLines(file: string, count: number): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
}
