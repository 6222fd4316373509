import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keys, sha256, startTarPit, temporaryDirectory, until, type Json } from './service.fixture';

const repository = join(__dirname, '../../..');
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let pit: Awaited<ReturnType<typeof startTarPit>>;
let child: ChildProcess | undefined;

beforeAll(async () => {
  root = await temporaryDirectory();
  pit = await startTarPit();
});
afterEach(() => child?.kill('SIGKILL'));
afterAll(async () => {
  pit.stop();
  await root.remove();
});

async function startProcess(): Promise<string> {
  const source = join(repository, 'libs/testing/src/source.js');
  const environment = {
    BUILD_SERVICE_PORT: '0',
    BUILD_CONCURRENCY: '1',
    BUILD_KEYS: `acme:${sha256(keys.acme)}:acme.example`,
    INSECURE_REGISTRIES: pit.host,
    WORK_DIR: join(root.path, 'work'),
  };
  const told = JSON.stringify([join(root.path, 'events'), environment]);
  const args = ['--conditions=@weir/source', '--require', source, join(__dirname, 'crash.fixture.ts'), told];
  child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout as NonNullable<typeof child.stdout>, 'data')) as [Buffer];
  return `http://127.0.0.1:${line.toString().trim()}`;
}

async function call(method: string, url: string, json?: unknown): Promise<Json> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${keys.acme}`, 'content-type': 'application/json' },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
  return (await response.json()) as Json;
}

const events = async (): Promise<Json[]> =>
  (await readFile(join(root.path, 'events'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Json); // prettier-ignore

const marked = async (id: string): Promise<number> => {
  let found = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)))
    if ((await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')).includes(`WEIR_JOB=${id}`)) found += 1;
  return found;
};

it('after kill -9, a running build is ended and reported once, and a waiting one is built', async () => {
  const url = await startProcess();
  const build = (name: string) => ({ image: `${pit.host}/${name}:1`, dockerfile: 'FROM scratch\nLABEL a=b\n' });
  const running = await call('POST', `${url}/builds`, build('running'));
  const waiting = await call('POST', `${url}/builds`, build('waiting'));
  await until(() => pit.connections() > 0); // its push hangs
  child?.kill('SIGKILL');
  await once(child as ChildProcess, 'exit');
  expect(await marked(String(running['id']))).toBeGreaterThan(0); // buildah has outlived the service

  const again = await startProcess();
  expect(await marked(String(running['id']))).toBe(0);
  const job = await call('GET', `${again}/builds/${String(running['id'])}`);
  expect(job).toMatchObject({ state: 'failed', reason: expect.stringContaining('interrupted by a restart') as string });
  expect((await readdir(join(root.path, 'work/jobs', String(running['id'])))).sort()).toEqual(['job.json', 'log']);

  await until(async () => (await call('GET', `${again}/builds/${String(waiting['id'])}`))['state'] === 'running');
  await call('DELETE', `${again}/builds/${String(waiting['id'])}`);
  await until(async () => (await events()).length >= 4);
  expect((await events()).map(({ id, type, data }) => [id, type, (data as Json)['outcome']])).toEqual([
    [running['id'], 'io.weir.build', undefined],
    [waiting['id'], 'io.weir.build', undefined],
    [`${String(running['id'])}-finished`, 'io.weir.build.finished', 'failed'],
    [`${String(waiting['id'])}-finished`, 'io.weir.build.finished', 'cancelled'],
  ]);
});
