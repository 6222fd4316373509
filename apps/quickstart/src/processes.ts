import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/**
 * A process, named so that it cannot be mistaken for another one that was given the same number later: its pid and
 * the moment it started. Nothing in the quick start sends a signal to a bare pid read from a file.
 */
export interface ProcessMark {
  pid: number;
  /** Opaque: the boot's id and the start in clock ticks where /proc tells, what `ps` says elsewhere. */
  startedAt: string;
}

/** The variable that every process of a run carries in its environment; its value is the run's id. */
export const RUN_VARIABLE = 'WEIR_RUN';

const hasProc = existsSync('/proc/self/stat');

/** The mark of a process that runs now; undefined when there is none by that pid, or it has ended and only its exit code is left. */
export function markOf(pid: number): ProcessMark | undefined {
  const startedAt = hasProc ? startFromProc(pid) : startFromPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** True while exactly this process runs. */
export function isAlive(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.startedAt === mark.startedAt;
}

/** Sends a signal to exactly this process; false, and nothing sent, when it is gone. */
export function signal(mark: ProcessMark, name: NodeJS.Signals): boolean {
  if (!isAlive(mark)) return false;
  try {
    process.kill(mark.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Ends processes: asks with SIGTERM, waits for at most `graceMs`, then forces. Returns those that had to be forced.
 * Resolves when none of them runs any more (a forced one is given two seconds to vanish).
 */
export async function endProcesses(marks: readonly ProcessMark[], graceMs: number): Promise<ProcessMark[]> {
  const asked = marks.filter((mark) => signal(mark, 'SIGTERM'));
  const forced = await waitUntilGone(asked, graceMs);
  for (const mark of forced) signal(mark, 'SIGKILL');
  await waitUntilGone(forced, 2_000);
  return forced;
}

/** Waits until none of the processes runs, at most `timeoutMs`; returns those that still do. */
export async function waitUntilGone(marks: readonly ProcessMark[], timeoutMs: number): Promise<ProcessMark[]> {
  const deadline = Date.now() + timeoutMs;
  let left = marks.filter(isAlive);
  while (left.length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    left = left.filter(isAlive);
  }
  return left;
}

/**
 * Every process that carries the run's id in its environment: what the run started, what that started in turn, and
 * what has cut itself loose from its parent since. Only where /proc tells (Linux); an empty list elsewhere.
 */
export function processesOfRun(run: string): ProcessMark[] {
  if (!hasProc) return [];
  const wanted = Buffer.from(`\0${RUN_VARIABLE}=${run}\0`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && environmentOf(name).includes(wanted))
    .flatMap((name) => markOf(Number(name)) ?? []);
}

/** The environment of a process between two NULs, so that a whole `NAME=value` can be looked for; empty when it is not ours to read. */
function environmentOf(pid: string): Buffer {
  try {
    return Buffer.concat([Buffer.from('\0'), readFileSync(`/proc/${pid}/environ`)]);
  } catch {
    return Buffer.alloc(0);
  }
}

function startFromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the command name stands in brackets and may hold anything; state is the first field after it, starttime the twentieth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${bootId()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function startFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
    });
    const [state, ...started] = line.trim().split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}
