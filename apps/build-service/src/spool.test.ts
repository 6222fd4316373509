import { spawn, type ChildProcess } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, until } from '@weir/testing';
import { keys, sha256 } from './service.fixture';

const source = join(__dirname, '../../../libs/testing/src/source.js');
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let child: ChildProcess | undefined;

beforeEach(async () => {
  root = await temporaryDirectory();
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await root.remove();
});

/** The service as an operator runs it, without a broker; resolves with its ports. */
async function startProcess(spoolDir: string): Promise<{ port: number; adminPort: number }> {
  const env = {
    PATH: process.env['PATH'],
    BUILD_SERVICE_PORT: '0',
    BUILD_KEYS: `acme:${sha256(keys.acme)}:acme.example`,
    WORK_DIR: join(root.path, 'work'),
    SPOOL_DIR: spoolDir,
    AMQP_URL: 'amqp://127.0.0.1:9',
  };
  const args = ['--conditions=@weir/source', '--require', source, join(__dirname, 'main.ts')];
  const started = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  let output = '';
  started.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const logged = async (field: string): Promise<number> => {
    const found = () => new RegExp(`"${field}":(\\d+)`).exec(output)?.[1];
    await until(() => found());
    return Number(found());
  };
  return { port: await logged('port'), adminPort: await logged('adminPort') };
}

it('a build is accepted only once its event is safe: without broker and spool it is 503, with the spool alone it is not', async () => {
  const spool = join(root.path, 'spool');
  await writeFile(spool, ''); // a file where the directory should be
  const { port, adminPort } = await startProcess(spool);
  const build = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/builds`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.acme}`, 'content-type': 'application/json' },
      body: JSON.stringify({ image: '127.0.0.1:9/a:1', dockerfile: 'FROM scratch\nLABEL a=b\n' }),
    });
    return { status: response.status, retryAfter: response.headers.get('retry-after'), text: await response.text() };
  };
  const ready = async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).json() as Promise<object>;

  const refused = await build();
  expect(refused.status).toBe(503);
  expect(Number(refused.retryAfter)).toBeGreaterThan(0);
  expect(refused.text).not.toContain(root.path);
  expect(await ready()).toMatchObject({ ready: false, checks: { 'keeping events': 'The spool cannot be written' } });

  await rm(spool);
  await until(async () => (await build()).status === 202);
  expect(await ready()).toMatchObject({ checks: { 'keeping events': true } });
});
