import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until';

/** A line of an app's log. */
export type LogLine = Readonly<Record<string, unknown>> & { msg?: string };

/** An app as a process of its own, run from its source. */
export interface AppProcess {
  /** Every line of log so far; what is no JSON stands under `msg`. */
  readonly log: readonly LogLine[];
  /** Waits for a line of log. Fails when the app ends before. */
  logged(found: (line: LogLine) => boolean): Promise<LogLine>;
  /** What /readyz says, `{ ready, checks }`. */
  readiness(): Promise<{ ready: boolean; [more: string]: unknown }>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

const root = join(__dirname, '../../..');

/** Starts an app with this environment and no other, `startApp('ingest', { INGEST_PORT: '0', … })`. */
export function startApp(app: string, env: Readonly<Record<string, string>>): AppProcess {
  const flags = ['--conditions=@weir/source', '--require', join(root, 'libs/testing/src/source.js')];
  const child = spawn(process.execPath, [...flags, join(root, 'apps', app, 'src/main.ts')], {
    cwd: join(root, 'apps', app),
    env: { PATH: process.env['PATH'], TZ: 'UTC', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: LogLine[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => log.push(asLine(line)));
  }
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  let ended = false;
  void exited.then(() => (ended = true));

  const logged = async (found: (line: LogLine) => boolean): Promise<LogLine> => {
    await until(() => ended || log.some(found));
    const line = log.find(found);
    if (line) return line;
    throw new Error(
      `${app} ended. Its log: ${log.map(({ msg, reason }) => `${msg} ${String(reason ?? '')}`).join('\n')}`,
    );
  };
  return {
    log,
    logged,
    async readiness() {
      const { adminPort } = await logged(({ adminPort: found }) => found !== undefined);
      const response = await fetch(`http://127.0.0.1:${String(adminPort)}/readyz`);
      return (await response.json()) as { ready: boolean };
    },
    signal: (name) => void child.kill(name),
    async stop() {
      child.kill('SIGTERM');
      return (await exited)[0];
    },
  };
}

function asLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { msg: text };
  }
}
