import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PATH } from './command';
import { until } from './until';

/** A program that runs until it is told to end. */
export interface Daemon {
  pid: number;
  logFile: string;
  /** SIGTERM, after a while SIGKILL; resolves with its exit code when it is gone. */
  stop(): Promise<number | null>;
}

export interface DaemonSpec {
  /** The program; names its log too. */
  name: string;
  program?: string;
  args: readonly string[];
  dir: string;
  env?: Readonly<Record<string, string>>;
  /** Resolves when it answers; called again and again until then. */
  ready(logFile: string): Promise<unknown>;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

/** Starts it and waits until it answers. @throws with the end of its log, when it does not */
export async function startDaemon(spec: DaemonSpec): Promise<Daemon> {
  const { name, program = name, args, dir, env = {}, ready } = spec;
  const logFile = join(dir, `${name}.log`);
  const log = openSync(logFile, 'a', 0o600);
  const [tether, tethered] = tethers(program, args);
  // In a group of its own: Ctrl-C is for the matrix, which then ends it in order.
  const options = { cwd: dir, env: { PATH, HOME: dir, TZ: 'UTC', ...env }, detached: true };
  const child = spawn(tether, tethered, { ...options, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', resolve);
  });
  let gone = false;
  void ended.then(() => (gone = true));

  const stop = async (): Promise<number | null> => {
    if (!gone) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    return ended.finally(() => clearTimeout(timer));
  };
  try {
    await until(
      () => ready(logFile),
      START_TIMEOUT_MS,
      () => gone,
    );
  } catch (error) {
    await stop();
    throw new Error(`${name} does not run here: ${lastLines(logFile) || (error as Error).message}`, { cause: error });
  }
  return { pid: child.pid ?? 0, logFile, stop };
}

/** When this process dies without having cleaned up, the kernel ends what it has started (Linux). */
function tethers(program: string, args: readonly string[]): [string, readonly string[]] {
  const setpriv = '/usr/bin/setpriv';
  return existsSync(setpriv) ? [setpriv, ['--pdeathsig', 'TERM', '--', program, ...args]] : [program, args];
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-3).join('; ').slice(-600);
}
