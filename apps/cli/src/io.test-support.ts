import { PassThrough, Readable } from 'node:stream';
import { run } from './run';
import type { Io, Output } from './io';

/** A command that is running, for tests: what it wrote so far, and how it ends. */
export interface Running {
  stdout(): string;
  stderr(): string;
  exit: Promise<number>;
  stop(): void;
}

interface World {
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string;
  /** Whether the output goes to a terminal, and the input comes from one. */
  terminal?: boolean;
  /** Whether the standard input is a terminal, with somebody who answers. */
  person?: boolean;
}

/** Runs a command line in a world of its own: nothing of this process's environment or folder is seen. */
export function weir(
  args: readonly string[],
  { env = {}, cwd = '/', stdin = '', terminal = false, person = terminal }: World = {},
): Running {
  const [stdout, stderr] = [recorder(terminal), recorder(terminal)];
  const stopping = new AbortController();
  const io: Io = {
    env,
    cwd,
    stdin: Object.assign(Readable.from([stdin]), person ? { isTTY: true } : {}),
    stdout: stdout.out,
    stderr: stderr.out,
    signal: stopping.signal,
  };
  return { stdout: stdout.text, stderr: stderr.text, exit: run(args, io), stop: () => stopping.abort() };
}

/** {@link weir} to its end. */
export async function weirDone(args: readonly string[], world: World = {}) {
  const running = weir(args, world);
  const code = await running.exit;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

function recorder(terminal: boolean): { out: Output; text(): string } {
  const chunks: string[] = [];
  const out: Output = new PassThrough({ encoding: 'utf8' }).on('data', (chunk: string) => chunks.push(chunk));
  if (terminal) Object.assign(out, { isTTY: true, columns: 160 });
  return { out, text: () => chunks.join('') };
}
