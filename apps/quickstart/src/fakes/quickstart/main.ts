/**
 * A quick start of fakes, for the tests of the supervisor: the same commands, the same supervisor, but one fake
 * server and two fake apps instead of the real ones. Nothing here is used outside tests.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { runCommand } from '../../commands';
import type { RunningServer } from '../../parts';
import { freePort } from '../../ports';

const program = join(__dirname, '../program/main.js');

async function fakeServer(run: string): Promise<RunningServer> {
  const port = await freePort();
  const launch = () =>
    spawn(process.execPath, [program], {
      detached: true,
      stdio: 'ignore',
      env: { FAKE_PORT: String(port), WEIR_RUN: run },
    });
  const up = async () => {
    const child = launch();
    while (!(await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)))
      await new Promise((r) => setTimeout(r, 20));
    return child;
  };
  let child = await up();
  return {
    key: 'amqp',
    what: 'Fake server',
    url: `amqp://fake:secret@127.0.0.1:${port}`,
    found: 'program',
    note: 'a fake',
    pids: () => (child.pid === undefined ? [] : [child.pid]),
    restart: async () => void (child = await up()),
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

const fakeApp = { file: program, about: 'a fake' };

void runCommand(
  async () => ({
    findServers: async () => [await fakeServer(process.env['WEIR_RUN'] ?? '')],
    apps: [
      {
        ...fakeApp,
        name: 'fake-gateway',
        stage: 'publisher',
        portVariable: 'GATEWAY_PORT',
        environment: ({ endpoints }) => ({
          AMQP_URL: endpoints.amqp,
          FAKE_FAILS: process.env['FAKE_GATEWAY_FAILS'] ?? '',
        }),
        passes: [/^GATEWAY_/],
      },
      { ...fakeApp, name: 'fake-worker', stage: 'worker', environment: () => ({}), passes: [] },
    ],
    demo: { prepare: async () => ({}), start: () => ({ stop: async () => {} }) },
  }),
  __filename,
  process,
  process.env,
).then((code) => process.exit(code));
