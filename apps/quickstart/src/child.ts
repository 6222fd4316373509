import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { backoff } from '@weir/service';
import { lastLines, openLog } from './logs';
import type { ProcessMark } from './processes';
import { endProcesses, markOf } from './processes';
import { readiness } from './readiness';
import type { WarmProcess } from './warm';

/** A program that is to run for as long as the quick start does. */
export interface ChildSpec {
  name: string;
  /** A JavaScript file, run by the same Node as this. */
  file: string;
  /** Its whole environment: nothing is inherited. */
  env: Readonly<Record<string, string>>;
  /** A process that has been prepared for the first start. */
  warm?: WarmProcess;
  logFile: string;
  /** Answers 200 when the child can do its work, and which checks are in the way when it cannot. */
  readyUrl: string;
  /** Checks that need not be green. */
  mayLack?: readonly string[];
}

/** How the surroundings hear of a child. */
export interface Surroundings {
  /** The child's process, each time it is another one; undefined when it has none. */
  onProcess(mark: ProcessMark | undefined): void;
  /** Something a person should know, as a whole line. */
  notice(text: string): void;
}

export interface Child {
  readonly name: string;
  /** Resolves when the child was ready for the first time; rejects with a ChildFailure when it will not be. */
  readonly ready: Promise<void>;
  /** Whether it runs just now. */
  running(): boolean;
  /** Ends it for good: SIGTERM, and SIGKILL after the grace. False when it had to be forced. */
  stop(graceMs: number): Promise<boolean>;
}

/** A child that does not become ready: why, and the end of its log. */
export class ChildFailure extends Error {
  constructor(
    readonly child: string,
    reason: string,
    readonly log: readonly string[],
  ) {
    super(`${child} ${reason}`);
    this.name = 'ChildFailure';
  }
}

const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 100;
const ATTEMPTS_UNTIL_READY = 3;
/** Exit code of an app whose configuration is wrong (sysexits.h): starting it again cannot help. */
const EXIT_CONFIG = 78;
/** A child that has run this long has recovered: the next restart is quick again. */
const RECOVERED_AFTER_MS = 30_000;

/**
 * Starts a program and starts it again, with back-off, whenever it ends without having been told to. Before it was
 * ready for the first time, three ends or one wrong configuration are a failure instead.
 */
export function keepRunning(spec: ChildSpec, surroundings: Surroundings, readyTimeoutMs = READY_TIMEOUT_MS): Child {
  const waits = backoff({ initialMs: 250, maxMs: 15_000 });
  let current: ProcessMark | undefined;
  let restart: NodeJS.Timeout | undefined;
  let stopped = false;
  let wasReady = false;
  let attempts = 0;
  let fail: (error: ChildFailure) => void = () => {};

  const ready = new Promise<void>((resolve, reject) => {
    fail = reject;
    void untilReady(spec, {
      giveUp: () => stopped || wasReady,
      notice: surroundings.notice,
      timeoutMs: readyTimeoutMs,
    }).then((problem) => {
      if (problem !== undefined) return reject(new ChildFailure(spec.name, problem, lastLines(spec.logFile, 15)));
      wasReady = true;
      resolve();
    });
  });
  ready.catch(() => {}); // whoever waits for it hears of it; nobody has to

  const start = (): void => {
    attempts += 1;
    const child = (attempts === 1 && spec.warm?.begin(spec.env)) || launch(spec);
    const begun = Date.now();
    current = child.pid === undefined ? undefined : markOf(child.pid);
    surroundings.onProcess(current);
    let ended = false;
    const onEnd = (code: number | null, how: string): void => {
      if (ended) return;
      ended = true;
      current = undefined;
      surroundings.onProcess(undefined);
      if (stopped) return;
      if (!wasReady && (code === EXIT_CONFIG || attempts >= ATTEMPTS_UNTIL_READY)) {
        stopped = true;
        return fail(new ChildFailure(spec.name, `ended ${how} before it was ready`, lastLines(spec.logFile, 15)));
      }
      if (Date.now() - begun > RECOVERED_AFTER_MS) waits.reset();
      const waitMs = waits.next();
      surroundings.notice(
        `${spec.name} ended ${how}; starting it again in ${(waitMs / 1000).toFixed(1)} s (log: ${spec.logFile})`,
      );
      restart = setTimeout(start, waitMs);
    };
    child.once('error', (error) => onEnd(null, `without having started: ${error.message}`));
    child.once('exit', (code, signal) => onEnd(code, signal ? `by ${signal}` : `with exit code ${code}`));
  };
  start();

  return {
    name: spec.name,
    ready,
    running: () => current !== undefined,
    async stop(graceMs) {
      stopped = true;
      clearTimeout(restart);
      return current === undefined || (await endProcesses([current], graceMs)).length === 0;
    },
  };
}

function launch({ file, env, logFile }: ChildSpec): ChildProcess {
  const log = openLog(logFile);
  const child = spawn(process.execPath, [file], { env: { ...env }, stdio: ['ignore', log, log] });
  closeSync(log);
  return child;
}

/** Asks until the answer is 200 (undefined) or time is up (what the last answer was); gives up quietly when told to. */
async function untilReady(
  spec: ChildSpec,
  { giveUp, notice, timeoutMs }: { giveUp: () => boolean; notice: (text: string) => void; timeoutMs: number },
): Promise<string | undefined> {
  const deadline = Date.now() + timeoutMs;
  let last = 'does not answer';
  while (!giveUp()) {
    const { ready, answer, without } = await readiness(spec.readyUrl, spec.mayLack);
    if (ready) {
      for (const lack of without) notice(`${spec.name} does without ${lack}`);
      return undefined;
    }
    last = answer;
    if (Date.now() > deadline) return `was not ready within ${Math.round(timeoutMs / 1000)} s: ${last}`;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return last;
}
