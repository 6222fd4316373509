import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { until } from './servers/wait';

/** One compiled app of Weir as a process of its own: what can befall it from outside, and what it takes. */
export interface App {
  readonly name: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  readonly logFile: string;
  /** SIGKILL, as a crash would; resolves when it is gone. It stays away until `start`. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code, -1 when it had to be killed because it did not end within 30 s. */
  stop(): Promise<number>;
  /** SIGSTOP: it is there, and does nothing. */
  suspend(): void;
  resume(): void;
  /** Starts it where it does not run, with further variables for this time; resolves at once, see `ready`. */
  start(more?: Record<string, string>): void;
  /** What /readyz answers: undefined when nothing answers. */
  readiness(): Promise<{ ready: boolean; checks: Record<string, true | string> } | undefined>;
  /** Resolves when /readyz answers 200. @throws after `timeoutMs` (60 s), with what it said last. */
  ready(timeoutMs?: number): Promise<void>;
  /** The sum of a metric over all its labels; undefined when there is none or nothing answers. */
  metric(name: string): Promise<number | undefined>;
  /** Resident memory, bytes, open descriptors, and processor time since its start; undefined while it does not run. */
  resources(): { rssBytes: number; descriptors: number; cpuSeconds: number } | undefined;
  /** How it has ended without having been told to, since the last call. */
  takeCrashes(): string[];
}

export interface AppSpec {
  name: string;
  /** node's arguments, the app's main last. */
  args: readonly string[];
  /** Its whole environment, ADMIN_PORT included. */
  env: Readonly<Record<string, string>>;
  adminPort: number;
  logFile: string;
  /** Called whenever it is set going again. */
  onRepair: () => void;
}

const STOP_TIMEOUT_MS = 30_000;
/** As any supervisor would: what crashes is started again. */
const RESTART_MS = 300;

export function createApp(spec: AppSpec): App {
  const { name, adminPort, logFile, onRepair } = spec;
  let child: ChildProcess | undefined;
  let ended: Promise<number> = Promise.resolve(0);
  let wanted = false;
  let more: Record<string, string> = {};
  let crashes: string[] = [];

  const launch = (): void => {
    const log = openSync(logFile, 'a');
    const [program, args] = tethered(process.execPath, spec.args);
    const started = spawn(program, args, { env: { ...spec.env, ...more }, stdio: ['ignore', log, log] });
    closeSync(log);
    child = started;
    ended = new Promise((resolve) => {
      const onEnd = (code: number | null, how: string): void => {
        if (child !== started) return;
        child = undefined;
        resolve(code ?? -1);
        if (!wanted) return;
        crashes.push(`${name} ended ${how}`);
        setTimeout(() => wanted && child === undefined && launch(), RESTART_MS);
      };
      started.once('error', (error) => onEnd(null, error.message));
      started.once('exit', (code, signal) => onEnd(code, signal ? `by ${signal}` : `with exit code ${code}`));
    });
  };

  const ask = async (path: string): Promise<{ status: number; body: string } | undefined> => {
    try {
      const response = await fetch(`http://127.0.0.1:${adminPort}${path}`, { signal: AbortSignal.timeout(3_000) });
      return { status: response.status, body: await response.text() };
    } catch {
      return undefined;
    }
  };
  const readiness: App['readiness'] = async () => {
    const answer = await ask('/readyz');
    if (!answer) return undefined;
    const { checks = {} } = JSON.parse(answer.body) as { checks?: Record<string, true | string> };
    return { ready: answer.status === 200, checks };
  };

  return {
    name,
    get pid() {
      return child?.pid;
    },
    logFile,
    async kill() {
      wanted = false;
      child?.kill('SIGKILL');
      await ended;
    },
    async stop() {
      wanted = false;
      const running = child;
      running?.kill('SIGCONT');
      running?.kill('SIGTERM');
      const timer = setTimeout(() => running?.kill('SIGKILL'), STOP_TIMEOUT_MS);
      return ended.finally(() => clearTimeout(timer));
    },
    suspend: () => void child?.kill('SIGSTOP'),
    resume() {
      child?.kill('SIGCONT');
      onRepair();
    },
    start(further = {}) {
      if (child) return;
      wanted = true;
      more = further;
      launch();
      onRepair();
    },
    readiness,
    async ready(timeoutMs = 60_000) {
      const ask = async () => {
        const said = await readiness();
        if (said?.ready !== true) throw new Error(JSON.stringify(said?.checks ?? 'no answer'));
      };
      await until(`${name} is to be ready`, ask, { timeoutMs, everyMs: 100 });
    },
    async metric(metric) {
      const lines = (await ask('/metrics'))?.body.split('\n') ?? [];
      const values = lines.flatMap((line) => {
        const match = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)$/.exec(line);
        return match?.[1] === metric ? [Number(match[2])] : [];
      });
      return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
    },
    resources() {
      try {
        const status = readFileSync(`/proc/${child?.pid}/status`, 'utf8');
        const rssBytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
        const descriptors = readdirSync(`/proc/${child?.pid}/fd`).length;
        return { rssBytes, descriptors, cpuSeconds: cpuSecondsOf(child?.pid ?? 0) };
      } catch {
        return undefined;
      }
    },
    takeCrashes() {
      const taken = crashes;
      crashes = [];
      return taken;
    },
  };
}

/** `/proc` counts in hundredths of a second on every Linux (proc(5), `_SC_CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** Processor time that a process has had since its start, its own and the kernel's for it. @throws when there is none */
export function cpuSecondsOf(pid: number): number {
  // The name, in parentheses, may hold spaces; utime and stime are the 14th and 15th field.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** When who started it dies without having cleaned up, the kernel ends what it has started (Linux). */
function tethered(program: string, args: readonly string[]): [string, readonly string[]] {
  const setpriv = '/usr/bin/setpriv';
  return existsSync(setpriv) ? [setpriv, ['--pdeathsig', 'KILL', '--', program, ...args]] : [program, args];
}
