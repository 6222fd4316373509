import { spawn } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';

/** How a program is run: never by a shell, always in a process group of its own. */
export interface Command {
  program: string;
  args: readonly string[];
  /** The whole environment: nothing of this process's own (its broker's password, its keys) reaches a build. */
  env: Readonly<Record<string, string>>;
  cwd: string;
  /** Ends the whole process group: SIGTERM, then SIGKILL. */
  signal: AbortSignal;
  /** Gets standard output and standard error as they come. */
  onOutput?: (chunk: Buffer) => void;
  /** Keep standard output and return it instead of passing it to `onOutput`; more than this many bytes is an error. */
  captureBytes?: number;
}

export interface Exit {
  /** 0 for success; 128 + n would be a signal's, here -1. */
  code: number;
  /** What was captured. */
  stdout: Buffer;
  /** The end of standard error, at most 4 KiB: where programs say why they failed. */
  complaint: string;
}

const TERM_TO_KILL_MS = 3000;
const PIPES_AFTER_EXIT_MS = 1000;
const COMPLAINT_BYTES = 4096;

/**
 * Runs a program to its end.
 *
 * @throws Error with code ENOENT when it is not installed; AbortError when the signal ended it.
 */
export function run(command: Command): Promise<Exit> {
  const { program, args, env, cwd, signal, onOutput, captureBytes } = command;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(program, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const captured: Buffer[] = [];
    let capturedBytes = 0;
    let complaint = Buffer.alloc(0);
    child.stdout.on('data', (chunk: Buffer) => {
      if (captureBytes === undefined) return onOutput?.(chunk);
      capturedBytes += chunk.length;
      if (capturedBytes <= captureBytes) captured.push(chunk);
      else endGroup(child.pid, 'SIGKILL');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = Buffer.concat([complaint, chunk]).subarray(-COMPLAINT_BYTES);
      onOutput?.(chunk);
    });

    const stop = (): void => {
      endGroup(child.pid, 'SIGTERM');
      setTimeout(() => endGroup(child.pid, 'SIGKILL'), TERM_TO_KILL_MS).unref();
    };
    signal.addEventListener('abort', stop, { once: true });
    child.once('error', (error) => {
      signal.removeEventListener('abort', stop);
      reject(error);
    });
    child.once('exit', () => {
      // The leader is gone; whatever it left behind in its group goes too, and may not hold the pipes open.
      endGroup(child.pid, 'SIGKILL');
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, PIPES_AFTER_EXIT_MS).unref();
    });
    child.once('close', (code) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason as Error);
      else if (captureBytes !== undefined && capturedBytes > captureBytes)
        reject(new Error(`${program} answered with more than ${captureBytes} bytes`));
      else resolve({ code: code ?? -1, stdout: Buffer.concat(captured), complaint: complaint.toString() });
    });
  });
}

/** The variable that marks every process of a job, so that a restarted service finds what its predecessor left. */
export const JOB_MARK = 'WEIR_JOB';

/**
 * Ends every process that belongs to a job: those that carry its mark, with their groups, and those whose root
 * directory is inside the job's (a RUN instruction's, which has an environment of its own). Needs /proc; elsewhere
 * it finds nothing.
 *
 * @returns how many were found.
 */
export async function endStrays(jobId: string, jobDir: string): Promise<number> {
  let found = 0;
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (await isMarked(name, jobId)) {
      found += 1;
      if (!endGroup(pid, 'SIGKILL')) end(pid);
    } else if ((await readlink(`/proc/${name}/root`).catch(() => '')).startsWith(`${jobDir}/`)) {
      found += 1;
      end(pid);
    }
  }
  return found;
}

async function isMarked(pid: string, jobId: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  return environment.split('\0').includes(`${JOB_MARK}=${jobId}`);
}

/** False when there is no such group. */
function endGroup(pid: number | undefined, signal: NodeJS.Signals): boolean {
  try {
    return pid !== undefined && process.kill(-pid, signal);
  } catch {
    return false; // ESRCH: it is gone already
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it is gone already
  }
}
