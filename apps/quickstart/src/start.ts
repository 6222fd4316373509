import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { readConfig } from '@weir/service';
import { createScreen } from './follow';
import { folderAt, makeFolder } from './folder';
import type { Folder } from './folder';
import { lastLines, openLog, rotateLog } from './logs';
import type { FromSupervisor, ToSupervisor } from './messages';
import type { Options } from './options';
import { usage } from './options';
import { RUN_VARIABLE } from './processes';
import { isSupervised, readRun } from './run-file';
import type { Run } from './run-file';
import { variables } from './settings';
import { renderTable } from './table';
import { takeDown } from './take-down';

const STARTING_TIMEOUT_MS = 300_000;
const ONE_INTERRUPT_MS = 1_000;

/**
 * `npm start`: starts the supervisor as a process of its own and shows what it says. Detached, it returns when
 * everything is ready; otherwise it follows the flow until Ctrl-C and waits until everything is down. Resolves with
 * the exit code.
 *
 * @param supervisorArgs - how to start the supervisor: a JavaScript file and its arguments.
 */
export async function start(
  options: Options,
  supervisorArgs: readonly string[],
  process: NodeJS.Process,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const settings = readConfig(variables, environment);
  const folder = folderAt(settings.WEIR_HOME);
  makeFolder(folder);
  const before = readRun(folder);
  if (before && isSupervised(before)) return showRunning(folder, before, options, process);
  if (before) {
    const ended = await takeDown(folder, before);
    if (ended.length > 0) process.stdout.write(`Ended what an earlier start had left behind: ${ended.join(', ')}.\n`);
  }
  return follow(folder, options, supervisorArgs, process, environment);
}

/** A second start changes nothing: it says what runs, once that is ready. */
async function showRunning(folder: Folder, run: Run, options: Options, process: NodeJS.Process): Promise<number> {
  const deadline = Date.now() + STARTING_TIMEOUT_MS;
  let now: Run | undefined = run;
  while (now?.state === 'starting' && isSupervised(now) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    now = readRun(folder);
  }
  if (now?.state !== 'ready') {
    process.stderr.write(
      `Weir is just being ${now?.state === 'starting' ? 'started' : 'stopped'}; try again in a moment.\n`,
    );
    return 1;
  }
  process.stdout.write(`Weir runs already (process ${now.supervisor.pid}); npm stop ends it.\n`);
  process.stdout.write(`${renderTable(now.rows, process.stdout.columns)}\n${now.hints.join('\n')}\n`);
  if (options.demo && !now.demo)
    process.stdout.write('It runs without the demo: npm stop, then npm start -- --demo.\n');
  return 0;
}

async function follow(
  folder: Folder,
  options: Options,
  supervisorArgs: readonly string[],
  process: NodeJS.Process,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const begun = performance.now();
  const screen = createScreen(process.stdout);
  const logFile = rotateLog(folder, 'supervisor');
  const log = openLog(logFile);
  // Detached: a session of its own, so that the terminal's Ctrl-C reaches this process only, which passes it on in order.
  const supervisor = spawn(process.execPath, ['--enable-source-maps', ...supervisorArgs, ...flagsOf(options)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...environment, [RUN_VARIABLE]: randomUUID() },
  });
  closeSync(log);
  const tell = (message: ToSupervisor): void => void (supervisor.connected && supervisor.send(message, () => {}));

  let interrupts = 0;
  let firstInterrupt = 0;
  const interrupt = (): void => {
    // One Ctrl-C may arrive more than once: from the terminal, and passed on by the processes in between.
    if (interrupts > 0 && performance.now() - firstInterrupt < ONE_INTERRUPT_MS) return;
    interrupts += 1;
    firstInterrupt ||= performance.now();
    screen.still();
    if (interrupts === 1) screen.line('Stopping (once more to force) …');
    tell({ type: interrupts === 1 ? 'stop' : 'force' });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);

  return new Promise((resolve) => {
    let done: number | undefined;
    const onMessage = (message: FromSupervisor): void => {
      switch (message.type) {
        case 'progress':
        case 'notice':
          return screen.line(message.text);
        case 'ask':
          return void ask(message.question, process).then((yes) => tell({ type: 'answer', yes }));
        case 'flow':
          return screen.flow(message.flow);
        case 'failed':
          done = 1;
          process.stderr.write(`${message.text}\n`);
          return;
        case 'ready':
          screen.line(`${renderTable(message.rows, process.stdout.columns)}\n${message.hints.join('\n')}`);
          screen.line(`Ready after ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
          if (options.detach) {
            done = 0;
            tell({ type: 'leave' });
            supervisor.unref();
            supervisor.once('disconnect', () => resolve(0));
          }
      }
    };
    supervisor.on('message', onMessage);
    supervisor.once('error', (error) => {
      process.stderr.write(`The supervisor could not be started: ${error.message}\n`);
      resolve(1);
    });
    supervisor.once('exit', (code, signal) => {
      if (interrupts > 1) void force(folder).then(() => resolve(1));
      else if (done !== undefined || code === 0) {
        if (done === undefined) screen.line('Everything is stopped.');
        resolve(done ?? 0);
      } else {
        const end = lastLines(logFile, 15).join('\n');
        process.stderr.write(
          `The supervisor ended ${signal ? `by ${signal}` : `with exit code ${code}`}; the end of ${logFile}:\n${end}\n`,
        );
        void force(folder).then(() => resolve(code ?? 1));
      }
    });
  });
}

/** Ends what a supervisor has left behind that did not end in good order. */
async function force(folder: Folder): Promise<void> {
  const run = readRun(folder);
  if (run) await takeDown(folder, run, { supervisorMs: 1_000, stageMs: 1_000 });
}

/** Asks on a terminal; where there is none, the answer is yes (DESIGN section 6). */
async function ask(question: string, process: NodeJS.Process): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return true;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  // At a prompt, Ctrl-C comes as a key: it means no, and to stop.
  const interrupted = new Promise<string>((resolve) => lines.once('SIGINT', () => resolve('no')));
  void interrupted.then(() => process.emit('SIGINT'));
  try {
    const answer = await Promise.race([lines.question(`${question} [Y/n] `), interrupted]);
    return /^(y(es)?)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

function flagsOf({ demo, yes, detach }: Options): string[] {
  return [...(demo ? ['--demo'] : []), ...(yes ? ['--yes'] : []), ...(detach ? ['--detach'] : [])];
}
