import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { openLog } from './logs';

/** A process that has loaded what its app needs, and waits to be told its environment (see warm/main.ts). */
export interface WarmProcess {
  /** Runs the app; `environment` is added to what the process was started with. Undefined when it has ended already. */
  begin(environment: Readonly<Record<string, string>>): ChildProcess | undefined;
  /** Ends it, when it is not needed after all; nothing once it has begun. */
  discard(): void;
}

/**
 * Starts the process of an app before its environment is known.
 *
 * @param file - the app's compiled main.
 */
export function warmUp(file: string, environment: Readonly<Record<string, string>>, logFile: string): WarmProcess {
  const log = openLog(logFile);
  const child = spawn(process.execPath, [join(__dirname, 'warm/main.js'), file], {
    env: { ...environment },
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  child.on('error', () => {}); // then it is not there to begin
  let begun = false;
  return {
    begin(rest) {
      if (!child.connected || child.exitCode !== null || child.signalCode !== null) return undefined;
      begun = true;
      child.send(rest, () => {}); // an error means that it has just ended, which `exit` tells
      return child;
    },
    discard() {
      if (!begun) child.kill('SIGKILL');
    },
  };
}
