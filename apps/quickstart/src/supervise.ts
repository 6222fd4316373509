import { appendFileSync } from 'node:fs';
import { StartError, readConfig } from '@weir/service';
import pino from 'pino';
import { flowMeter } from './flow';
import { folderAt, makeFolder } from './folder';
import { logPath } from './logs';
import type { FromSupervisor, ToSupervisor } from './messages';
import type { Options } from './options';
import type { Parts } from './parts';
import { RUN_VARIABLE, markOf } from './processes';
import { watchQueues } from './queues';
import { claimRun } from './run-file';
import { variables } from './settings';
import { hintsOf } from './hints';
import { createSupervisor, explain } from './supervisor';

const FLOW_EVERY_MS = 1_000;

/**
 * The whole of the supervisor's process, which `npm start` starts apart from itself: brings everything up, says so
 * over the IPC channel, and takes everything down when it is told to: by a signal, by `npm start`, or by the
 * disappearance of an `npm start` that has not said `leave`. Resolves with the exit code.
 */
export async function supervise(
  options: Options,
  parts: Parts,
  process: NodeJS.Process,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const settings = readConfig(variables, environment);
  const folder = folderAt(settings.WEIR_HOME);
  makeFolder(folder);
  const self = markOf(process.pid);
  const id = environment[RUN_VARIABLE];
  if (!self || !id) throw new StartError('The supervisor is started by npm start, not by hand.');
  const { say, onMessage } = connection(process);
  const log = (text: string): void => {
    appendFileSync(logPath(folder, 'supervisor'), `${new Date().toISOString()} ${text}\n`, { mode: 0o600 });
  };
  const tell = (type: 'progress' | 'notice', text: string): void => {
    log(text);
    void say({ type, text });
  };
  const runFile = claimRun(folder, {
    id,
    supervisor: self,
    state: 'starting',
    demo: options.demo,
    rows: [],
    hints: [],
    processes: [],
  });
  if (!runFile) {
    await say({ type: 'failed', text: `Another npm start has just begun in ${folder.root}; npm stop ends it.` });
    return 1;
  }

  let answer: (yes: boolean) => void = () => {};
  const told = toldToStop(process, onMessage, (yes) => answer(yes));
  const supervisor = createSupervisor({
    folder,
    runFile,
    settings,
    environment,
    parts,
    demo: options.demo,
    progress: (text) => tell('progress', text),
    notice: (text) => tell('notice', text),
    ask: async (question) => {
      if (options.yes || !process.connected) return true;
      const answered = new Promise<boolean>((resolve) => (answer = resolve));
      await say({ type: 'ask', question });
      return Promise.race([answered, told.then(() => false)]);
    },
  });

  try {
    const up = await Promise.race([supervisor.up(), told.then(() => undefined)]);
    if (up === undefined) return 0;
    const hints = hintsOf(up.endpoints, folder, options.demo);
    runFile.set({ hints });
    await say({ type: 'ready', rows: up.rows, hints });
    const queues = watchQueues(up.endpoints.amqp, pino({ level: 'silent' }));
    const look = flowMeter(up.publishers, () => queues.waiting(), up.down);
    const showing = repeat(
      FLOW_EVERY_MS,
      async () => process.connected && (await say({ type: 'flow', flow: await look() })),
    );
    await told;
    clearInterval(showing);
    await queues.close();
    return 0;
  } catch (error) {
    const text = explain(error);
    log(text);
    await say({ type: 'failed', text });
    return 1;
  } finally {
    await supervisor.down();
    log('Everything is stopped.');
  }
}

/** Talks to whoever started this process, for as long as that is there. */
function connection(process: NodeJS.Process) {
  return {
    /** Resolves when the message is on its way; at once when nobody listens. */
    say(message: FromSupervisor): Promise<void> {
      return new Promise((resolve) => {
        if (!process.connected || !process.send) return resolve();
        process.send(message, undefined, undefined, () => resolve()); // an error: gone meanwhile, nobody to tell
      });
    },
    onMessage: (handle: (message: ToSupervisor) => void) => void process.on('message', handle),
  };
}

/** Resolves when it is time to stop. A second request ends the process at once. */
function toldToStop(
  process: NodeJS.Process,
  onMessage: (handle: (message: ToSupervisor) => void) => void,
  onAnswer: (yes: boolean) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let left = false;
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
    onMessage((message) => {
      if (message.type === 'answer') onAnswer(message.yes);
      if (message.type === 'leave') {
        left = true;
        process.disconnect();
      }
      if (message.type === 'stop') resolve();
      if (message.type === 'force') process.exit(1);
    });
    process.on('disconnect', () => {
      if (!left) resolve();
    });
  });
}

/** Calls again and again, never twice at a time. */
function repeat(everyMs: number, work: () => Promise<unknown>): NodeJS.Timeout {
  let busy = false;
  return setInterval(() => {
    if (busy) return;
    busy = true;
    void work().finally(() => (busy = false));
  }, everyMs);
}
