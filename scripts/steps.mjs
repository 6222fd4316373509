/** What every command shares: the repository's folder, a child process, and one line that says what goes on. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Why a command cannot go on, in words for the person at the terminal; printed without a stack trace. */
export class StepError extends Error {}

/** Turns a command into one that reports a StepError as one line and exit code 1. */
export function command(body) {
  return async (args) => {
    try {
      return await body(args);
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
  };
}

/**
 * Runs `work` under a progress line: `title … 12 s` while it runs on a terminal, one finished line otherwise.
 * Progress goes to stderr: stdout belongs to the result.
 */
export async function step(title, work) {
  const started = Date.now();
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
  const terminal = process.stderr.isTTY;
  const draw = () => process.stderr.write(`\r${title} … ${seconds()} `);
  const timer = terminal ? setInterval(draw, 1000) : undefined;
  process.stderr.write(terminal ? `${title} … ` : `${title} …\n`);
  try {
    const result = await work();
    process.stderr.write(terminal ? `\r${title}: done in ${seconds()}\n` : `${title}: done in ${seconds()}\n`);
    return result;
  } catch (error) {
    if (terminal) process.stderr.write('\n');
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** Runs a program to its end; resolves with its exit code (128 + n for a signal) and what it printed if `capture`. */
export function runProgram(program, args, { env = process.env, capture = false } = {}) {
  return new Promise((resolve, reject) => {
    const output = [];
    const stdio = capture ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    const child = spawn(program, args, { cwd: root, env, stdio });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => output.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code: code ?? (signal ? 143 : 1), output: Buffer.concat(output).toString() });
    });
  });
}
