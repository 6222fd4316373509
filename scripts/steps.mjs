/** What every command shares: the repository's folder, a child process, and one line that says what goes on. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
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
 * Runs `work` under a progress line: `title … 12 s` while it runs on a terminal, one line before and one after where
 * there is none. `work` may tell what it is doing through its argument. Progress goes to stderr: stdout belongs to the
 * result.
 */
export async function step(title, work) {
  const started = Date.now();
  const { stderr } = process;
  let doing = '';
  const line = () => `${title} … ${Math.round((Date.now() - started) / 1000)} s${doing && ` (${doing})`}`;
  const draw = () => stderr.write(`\r\x1b[K${line().slice(0, (stderr.columns ?? 80) - 1)}`);
  const timer = stderr.isTTY ? setInterval(draw, 250) : undefined;
  if (!timer) stderr.write(`${title} …\n`);
  try {
    return await work((text) => (doing = text));
  } finally {
    clearInterval(timer);
    doing = '';
    stderr.write(timer ? `\r\x1b[K${line()}\n` : `${line()}\n`);
  }
}

/** Asks a person yes or no; without a terminal nobody can be asked, and the answer is yes. */
export async function askOnTerminal(question) {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^(y|yes|)$/i.test((await prompt.question(`${question} [Y/n] `)).trim());
  } finally {
    prompt.close();
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
