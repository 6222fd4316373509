/** The supervisor with fakes for servers and apps: starting, stopping, dying, ports. The real ones: flow.test.ts. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoints } from './endpoints';
import { writeJson } from './folder';
import { canListen } from './ports';
import { isAlive, markOf, processesOfRun } from './processes';
import type { Run } from './run-file';

const app = join(__dirname, '..');
const program = join(app, 'dist/fakes/quickstart/main.js');

interface Ended {
  code: number | null;
  output: string;
}

let home: string;

beforeAll(() => {
  const tsc = join(app, '../../node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '--build', app], { stdio: 'pipe' });
}, 120_000);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weir-quickstart-'));
});

afterEach(async () => {
  if (existsSync(join(home, 'run.json'))) await quickstart('stop');
  rmSync(home, { recursive: true, force: true });
});

/** Runs a command of the fake quick start to its end. */
function quickstart(...args: string[]): Promise<Ended> {
  return launch(args).ended;
}

function launch(args: string[], more: Record<string, string> = {}) {
  const ports = { GATEWAY_PORT: '0', INGEST_PORT: '0', BUILD_SERVICE_PORT: '0', STATS_PORT: '0' };
  const env = { PATH: process.env['PATH'], WEIR_HOME: home, ...ports, ...more };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const output = (): string => Buffer.concat(chunks).toString();
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, output: output() })));
  return { child, output, ended };
}

const readRun = (): Run => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as Run;
const readEndpoints = (): Endpoints => JSON.parse(readFileSync(join(home, 'endpoints.json'), 'utf8')) as Endpoints;
const recorded = (name: string) => readRun().processes.find((one) => one.name === name);

async function until(what: string, check: () => unknown, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

test('a detached start returns when everything is ready, and stop leaves no process and no port', async () => {
  const started = await quickstart('start', '--detach');
  expect(started.output).toContain('fake-gateway');
  expect(started.code).toBe(0);
  const endpoints = readEndpoints();
  expect((await fetch(endpoints.gateway)).status).toBe(200);
  const run = readRun();
  expect(run.processes.map(({ name }) => name).sort()).toEqual(['Fake server', 'fake-gateway', 'fake-worker']);

  const stopped = await quickstart('stop');
  expect(stopped).toMatchObject({ code: 0 });
  expect([run.supervisor, ...run.processes].filter(isAlive)).toEqual([]);
  expect(processesOfRun(run.id)).toEqual([]);
  expect(await canListen('127.0.0.1', Number(new URL(endpoints.gateway).port))).toBe(true);
  expect(await canListen('127.0.0.1', Number(new URL(endpoints.amqp).port))).toBe(true);
  expect(existsSync(join(home, 'endpoints.json'))).toBe(false);
});

test('stop ends everything when the supervisor was killed with -9', async () => {
  await quickstart('start', '--detach');
  const run = readRun();
  process.kill(run.supervisor.pid, 'SIGKILL');
  await until('the supervisor is gone', () => !isAlive(run.supervisor));
  expect(run.processes.every(isAlive)).toBe(true);

  const stopped = await quickstart('stop');
  expect(stopped.output).toContain('left behind');
  expect(stopped.code).toBe(0);
  expect(run.processes.filter(isAlive)).toEqual([]);
});

test('a start after a supervisor that was killed with -9 ends what was left behind and keeps the credentials', async () => {
  await quickstart('start', '--detach');
  const before = readRun();
  const { ingestKey } = readEndpoints();
  process.kill(before.supervisor.pid, 'SIGKILL');
  await until('the supervisor is gone', () => !isAlive(before.supervisor));

  const again = await quickstart('start', '--detach');
  expect(again.output).toContain('left behind');
  expect(again.code).toBe(0);
  expect(before.processes.filter(isAlive)).toEqual([]);
  expect(readEndpoints().ingestKey).toBe(ingestKey);
});

test('stop spares a process that was given the pid of one of ours', async () => {
  await quickstart('start', '--detach');
  const run = readRun();
  process.kill(run.supervisor.pid, 'SIGKILL');
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    const mark = markOf(stranger.pid ?? 0);
    const taken = { name: 'fake-old', stage: 'worker' as const, pid: stranger.pid, startedAt: 'another boot/1' };
    writeJson(join(home, 'run.json'), { ...run, processes: [...run.processes, taken] });
    await quickstart('stop');
    expect(run.processes.filter(isAlive)).toEqual([]);
    expect(mark && isAlive(mark)).toBe(true);
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('stop with nothing running says so', async () => {
  const stopped = await quickstart('stop');
  expect(stopped.output).toContain('Nothing runs');
  expect(stopped.code).toBe(0);
});

test('a second start says that it runs already and shows the table', async () => {
  await quickstart('start', '--detach');
  const { supervisor } = readRun();
  const second = await quickstart('start', '--detach');
  expect(second.output).toContain(`runs already (process ${supervisor.pid})`);
  expect(second.output).toContain(readEndpoints().gateway);
  expect(second.code).toBe(0);
  expect(readRun().supervisor).toEqual(supervisor);
});

test('two starts at the same moment make one quick start', async () => {
  const both = await Promise.all([quickstart('start', '--detach'), quickstart('start', '--detach')]);
  expect(both.map(({ code }) => code)).toContain(0);
  expect(both.map(({ output }) => output).join()).toMatch(/runs already|has just begun/);
  expect(isAlive(readRun().supervisor)).toBe(true);
});

test('a taken port is named with its variable and its holder before anything is started', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  const { port } = blocker.address() as AddressInfo;
  try {
    const { code, output } = await launch(['start', '--detach'], { GATEWAY_PORT: String(port) }).ended;
    expect(output).toContain(`port ${port} is taken`);
    expect(output).toContain('GATEWAY_PORT');
    if (existsSync('/proc/self/fd')) expect(output).toContain(`(process ${process.pid})`);
    expect(code).toBe(1);
    expect(output).not.toContain('Fake server:');
    expect(existsSync(join(home, 'run.json'))).toBe(false);
  } finally {
    blocker.close();
  }
});

test('an app that cannot start is named with the end of its log, and nothing stays behind', async () => {
  const { code, output } = await launch(['start', '--detach'], { FAKE_GATEWAY_FAILS: '78' }).ended;
  expect(output).toContain('fake-gateway ended with exit code 78 before it was ready');
  expect(output).toContain('fake: I was told to fail');
  expect(code).toBe(1);
  expect(existsSync(join(home, 'run.json'))).toBe(false);
  expect(existsSync(join(home, 'endpoints.json'))).toBe(false);
});

test('an app and a server that die are started again, at the same address', async () => {
  await quickstart('start', '--detach');
  const { gateway, amqp } = readEndpoints();
  const before = { app: recorded('fake-gateway'), server: recorded('Fake server') };
  for (const one of [before.app, before.server]) if (one) process.kill(one.pid, 'SIGKILL');
  await until('both run again', async () => {
    const now = { app: recorded('fake-gateway'), server: recorded('Fake server') };
    return now.app && now.server && now.app.pid !== before.app?.pid && now.server.pid !== before.server?.pid;
  });
  await until('the app answers', async () => (await fetch(gateway).catch(() => undefined))?.ok);
  await until(
    'the server answers',
    async () => (await fetch(`http://${new URL(amqp).host}`).catch(() => undefined))?.ok,
  );
  expect(readFileSync(join(home, 'logs/supervisor.log'), 'utf8')).toContain(
    'fake-gateway ended by SIGKILL; starting it again',
  );
});

test('in the foreground, Ctrl-C ends everything and the command waits for it', async () => {
  const { child, output, ended } = launch(['start']);
  await until('it is ready', () => output().includes('Ready after'));
  const run = readRun();
  await until('the live line is shown', () => output().includes('events/s'));
  child.kill('SIGINT');
  expect((await ended).code).toBe(0);
  expect([run.supervisor, ...run.processes].filter(isAlive)).toEqual([]);
});

test('in the foreground, everything ends when npm start itself is killed with -9', async () => {
  const { child, output, ended } = launch(['start']);
  await until('it is ready', () => output().includes('Ready after'));
  const run = readRun();
  child.kill('SIGKILL');
  await ended;
  await until('everything is gone', () => ![run.supervisor, ...run.processes].some(isAlive));
  expect(existsSync(join(home, 'run.json'))).toBe(false);
});

test('credentials are readable by their owner only and are kept from start to start', async () => {
  await quickstart('start', '--detach');
  const first = readEndpoints();
  expect(statSync(home).mode & 0o777).toBe(0o700);
  for (const file of ['endpoints.json', 'secrets.json', 'run.json'])
    expect(statSync(join(home, file)).mode & 0o777).toBe(0o600);
  await quickstart('stop');
  await quickstart('start', '--detach');
  const { ingestKey, buildKey, statsUser, statsPassword } = first;
  expect(readEndpoints()).toMatchObject({ ingestKey, buildKey, statsUser, statsPassword });
});

test('an app is told what it needs and nothing else', async () => {
  const { code } = await launch(['start', '--detach'], {
    GATEWAY_EXTRA: 'mine',
    AWS_SECRET_ACCESS_KEY: 'no business of an app',
  }).ended;
  expect(code).toBe(0);
  const { gateway } = readEndpoints();
  const environment = (await (await fetch(`${gateway}/environment`)).json()) as Record<string, string>;
  expect(environment).toMatchObject({ GATEWAY_EXTRA: 'mine', HOST: '127.0.0.1' });
  expect(environment).not.toHaveProperty('AWS_SECRET_ACCESS_KEY');
  expect(environment).not.toHaveProperty('INGEST_KEYS');
});

test('an unknown flag and a wrong variable are refused by name', async () => {
  const flag = await quickstart('start', '--detatch');
  expect(flag.output).toContain('--detatch');
  expect(flag.output).toContain('--detach ');
  expect(flag.code).toBe(1);
  const wrong = await launch(['start'], { INGEST_PORT: 'eighty', UPSTREAM: 'nowhere' }).ended;
  expect(wrong.output).toMatch(/INGEST_PORT: must be a port[^]*UPSTREAM: must be a URL/);
  expect(wrong.code).toBe(78);
});
