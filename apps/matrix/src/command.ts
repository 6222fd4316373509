import { execFile } from 'node:child_process';

export interface CommandOptions {
  /** The whole environment beside PATH. */
  env?: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

const TIMEOUT_MS = 90_000;

/** Runs a program to its end; resolves with what it printed. @throws with the end of what it said */
export function command(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { env = {}, timeoutMs = TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    const settings = { env: { PATH, LANG: 'C.UTF-8', ...env }, timeout: timeoutMs, killSignal: 'SIGKILL' as const };
    execFile(program, [...args], settings, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const said = stderr.trim().split('\n').slice(-3).join('; ').slice(-500);
      const how = error.killed ? `no end within ${timeoutMs / 1000} s` : '';
      reject(new Error([program, how, said || error.message].filter((part) => part !== '').join(': ')));
    });
  });
}

/** Where Debian has the clients and their helpers. */
export const PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin';
