import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { openLog } from './logs';

/** A process that has loaded what its app needs, and waits to be told its environment (see warm/main.ts). */
export interface WarmProcess {
  /** Runs the app; `environment` is added to what the process was started with. Undefined when there is none (yet). */
  begin(environment: Readonly<Record<string, string>>): ChildProcess | undefined;
  /** Ends it, when it is not needed after all; nothing once it has begun. */
  discard(): void;
  /** Resolves when it has loaded, or will not any more. */
  loaded: Promise<void>;
}

/**
 * Starts the process of an app before its environment is known, once `turn` resolves: processes that load one after
 * the other leave a core to the servers that start meanwhile.
 *
 * @param file - the app's compiled main.
 */
export function warmUp(
  file: string,
  environment: Readonly<Record<string, string>>,
  logFile: string,
  turn: Promise<void>,
): WarmProcess {
  let child: ChildProcess | undefined;
  let wanted = true;
  const load = (): Promise<void> => {
    if (!wanted) return Promise.resolve();
    const log = openLog(logFile);
    const started = spawn(process.execPath, [join(__dirname, 'warm/main.js'), file], {
      env: { ...environment },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    child = started;
    return new Promise((resolve) => {
      started.once('message', () => resolve());
      started.once('exit', () => resolve());
      started.on('error', () => resolve()); // then it is not there to begin
    });
  };
  return {
    loaded: turn.then(load),
    begin(rest) {
      wanted = false;
      if (!child?.connected || child.exitCode !== null || child.signalCode !== null) return undefined;
      const begun = child;
      child = undefined;
      begun.send(rest, () => {}); // an error means that it has just ended, which `exit` tells
      return begun;
    },
    discard() {
      wanted = false;
      child?.kill('SIGKILL');
    },
  };
}
