import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** An app of this repository in a process of its own, run from its source. */
export interface AppProcess {
  pid: number;
  output(): string;
  /** SIGTERM, and its exit. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  exit: Promise<number | null>;
}

const root = join(__dirname, '../../../..');

export function startApp(app: string, env: Record<string, string>, args: readonly string[] = []): AppProcess {
  const source = join(root, 'libs/testing/src/source.js');
  const main = join(root, 'apps', app, 'src/main.ts');
  const child: ChildProcess = spawn(
    process.execPath,
    ['--conditions=@weir/source', '--require', source, main, ...args],
    {
      cwd: __dirname,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exit;
  };
  return { pid: child.pid ?? 0, output: () => output, exit, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}
