import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

/** Runs `runApp` in a process of its own, on the source, as `main.ts` does. */
function app(env: Record<string, string>, ...argv: string[]): ChildProcess & { output: () => string } {
  const fixture = join(__dirname, 'run.test-app.js');
  const source = ['--conditions=@weir/source', '--require', join(__dirname, '../../testing/src/source.js')];
  const child = spawn(process.execPath, [...source, fixture, ...argv], { env: { PATH: process.env['PATH'], ...env } });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return Object.assign(child, { output: () => output });
}

const exit = (child: ChildProcess) => new Promise<number | null>((resolve) => child.on('exit', resolve));

async function until<T>(read: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (const deadline = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const value = await read();
    if (value) return value;
    if (Date.now() > deadline) throw new Error('did not happen within 20 s');
  }
}

test('a wrong configuration ends with exit code 78 and every mistake', async () => {
  const child = app({ LEVEL: 'x', ADMIN_PORT: 'y' });
  expect(await exit(child)).toBe(78);
  expect(child.output()).toMatch(/2 mistakes[\s\S]*ADMIN_PORT[\s\S]*LEVEL/);
  expect(child.output()).not.toMatch(/\bat .*:\d+:\d+/);
});

test('--check validates and exits', async () => {
  const child = app({ LEVEL: '3' }, '--check');
  expect(await exit(child)).toBe(0);
  expect(child.output()).toContain('the configuration is valid');
});

test.each([['--check'], []])('what an app looks for itself is a mistake in the configuration: %s', async (...argv) => {
  const child = app({ LEVEL: '9' }, ...argv);
  expect(await exit(child)).toBe(78);
  expect(child.output()).toContain('LEVEL: is too high today');
});

test('an app is healthy, ready and measured; SIGTERM makes it unready, releases in reverse order and exits 0', async () => {
  const child = app({ LEVEL: '3' });
  const port = await until(() => /"adminPort":(\d+)/.exec(child.output())?.[1]);
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  expect((await get('/healthz')).status).toBe(200);
  expect(await (await get('/readyz')).json()).toEqual({ ready: true, checks: { level: true } });
  const metrics = await (await get('/metrics')).text();
  expect(metrics).toContain('process_cpu_seconds_total');
  expect(metrics).toMatch(/^nodejs_eventloop_lag_p99_seconds [\d.]+$/m); // a blocked loop loses connections (F30)
  expect(metrics).toContain('weir_ready{check="level"} 1');

  child.kill('SIGTERM');
  await until(() => child.output().includes('releasing second'));
  expect((await get('/readyz')).status).toBe(503);
  expect(await (await get('/metrics')).text()).toContain('weir_ready{check="lifecycle"} 0');
  child.stdin?.write('go on\n');
  expect(await exit(child)).toBe(0);
  expect(child.output()).toMatch(/releasing second[\s\S]*releasing first[\s\S]*stopped/);
});

test('what is for operators listens on the loopback address alone, also when the app listens everywhere', async () => {
  const child = app({ LEVEL: '3', HOST: '0.0.0.0' });
  const port = await until(() => /"adminPort":(\d+)/.exec(child.output())?.[1]);
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  await expect(fetch(`http://127.0.0.2:${port}/readyz`)).rejects.toThrow();
  child.kill('SIGKILL');
});

test('SIGHUP reloads what can be reloaded, as often as it comes; a reload that fails is logged and ends nothing', async () => {
  const child = app({ LEVEL: '3' });
  const port = await until(() => /"adminPort":(\d+)/.exec(child.output())?.[1]);
  for (const times of [1, 2]) {
    child.kill('SIGHUP');
    await until(() => child.output().split('"reloading"').length === times + 1);
    await until(() => child.output().split('could not be reloaded').length === times + 1);
  }
  expect(child.output()).toContain('no such thing');
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  child.kill('SIGKILL');
});

test('a second signal forces the end', async () => {
  const child = app({ LEVEL: '3' });
  await until(() => child.output().includes('"started"'));
  child.kill('SIGTERM');
  await until(() => child.output().includes('releasing second'));
  child.kill('SIGTERM');
  expect(await exit(child)).toBe(1);
});

test('an app that does not drain within the grace period is ended', async () => {
  const child = app({ LEVEL: '3', SHUTDOWN_GRACE_SECONDS: '1' });
  await until(() => child.output().includes('"started"'));
  child.kill('SIGTERM');
  expect(await exit(child)).toBe(1);
  expect(child.output()).toContain('grace period');
});
