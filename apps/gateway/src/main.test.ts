import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startRegistry, temporaryDirectory, until, type PrivateServer } from '@weir/testing';
import { ask } from './gateway.test-support';
import { pushImage, type PushedImage } from './images.test-support';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const SOURCE = ['--conditions=@weir/source', '--require', join(__dirname, '../../../libs/testing/src/source.js')];

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
let image: PushedImage;

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  image = await pushImage(registry.url, 'team/app', { tag: 'v1' });
});

afterAll(async () => {
  await registry.stop();
  await directory.remove();
});

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
});

describe('the process', () => {
  test('is up and ready without a broker, keeps what is pulled in its spool, and ends on SIGTERM', async () => {
    const spool = join(directory.path, 'spool');
    const gateway = start({ UPSTREAM: registry.url, SPOOL_DIR: spool, AMQP_URL: 'amqp://127.0.0.1:9' });
    const port = await gateway.logged<number>('gateway listens', 'port');
    const adminPort = await gateway.logged<number>('started', 'adminPort');

    const answer = await ask(`http://127.0.0.1:${port}`, '/v2/team/app/manifests/v1', { headers: { accept: IMAGE } });
    expect(answer.status).toBe(200);
    await until(async () => (await contentOf(spool)).includes(image.digest));
    await until(async () => (await ask(`http://127.0.0.1:${adminPort}`, '/readyz')).status === 200);
    const metrics = async () => (await ask(`http://127.0.0.1:${adminPort}`, '/metrics')).body.toString();
    await until(async () =>
      (await metrics()).includes('weir_gateway_events_total{type="io.weir.pull",outcome="spooled"} 1'),
    );

    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
  });

  test('a HEAD that may become more when SIGTERM comes is kept as a check, and a layer as a download', async () => {
    const spool = join(directory.path, 'spool-of-waiting');
    const gateway = start({ UPSTREAM: registry.url, SPOOL_DIR: spool, AMQP_URL: 'amqp://127.0.0.1:9' });
    const url = `http://127.0.0.1:${await gateway.logged<number>('gateway listens', 'port')}`;
    const headers = { accept: IMAGE, 'user-agent': 'skopeo/1.9.3' };
    await ask(url, '/v2/team/app/manifests/v1', { headers });
    await until(async () => (await contentOf(spool)).includes('io.weir.pull'));
    const layer = `/v2/team/app/blobs/${image.layers[0]?.digest}`;
    await ask(url, layer, { headers: { ...headers, range: 'bytes=0-9' } });
    await ask(url, '/v2/team/app/manifests/v1', { method: 'HEAD', headers });

    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
    const kept = await contentOf(spool);
    for (const type of ['io.weir.pull', 'io.weir.download', 'io.weir.check']) expect(kept).toContain(type);
  });

  test('answers a pull all the same when its event is lost, counts the loss and is not ready', async () => {
    const file = join(directory.path, 'a-file');
    await writeFile(file, '');
    const gateway = start({ UPSTREAM: registry.url, SPOOL_DIR: join(file, 'spool'), AMQP_URL: 'amqp://127.0.0.1:9' });
    const port = await gateway.logged<number>('gateway listens', 'port');
    const adminPort = await gateway.logged<number>('started', 'adminPort');
    const admin = async (path: string) => (await ask(`http://127.0.0.1:${adminPort}`, path)).body.toString();

    expect(await admin('/metrics')).toContain('weir_publisher_events_total{outcome="refused"} 0');
    for (let n = 0; n < 2; n += 1) {
      const answer = await ask(`http://127.0.0.1:${port}`, '/v2/team/app/manifests/v1', { headers: { accept: IMAGE } });
      expect(answer.status).toBe(200);
    }
    await until(async () => (await admin('/metrics')).includes('weir_publisher_events_total{outcome="refused"} 2'));
    expect(await admin('/metrics')).toContain('weir_gateway_events_total{type="io.weir.pull",outcome="failed"} 2');
    expect(JSON.parse(await admin('/readyz'))).toMatchObject({
      ready: false, checks: { events: 'The spool cannot be written' },
    }); // prettier-ignore
  });

  test('says which port is taken and what to change', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const environment = { GATEWAY_PORT: String(port), SPOOL_DIR: join(directory.path, 'other') };
    const gateway = start({ UPSTREAM: registry.url, AMQP_URL: 'amqp://127.0.0.1:9', ...environment });
    expect(await gateway.ended).toBe(1);
    holder.close();
    expect(gateway.errors()).toMatch(new RegExp(`Port ${port} is taken.*GATEWAY_PORT`));
  });

  test('refuses to start without a registry, with exit code 78', async () => {
    const gateway = start({});
    expect(await gateway.ended).toBe(78);
    expect(gateway.errors()).toContain('UPSTREAM: is missing');
  });

  test.each([
    ['no registry', {}, {}, ['UPSTREAM: is missing']],
    ['two that speak of registries', {}, { RULES_FILE: 'rules', UPSTREAM: 'http://a', UPSTREAM_PUBLIC_URL: 'http://b' }, ['UPSTREAM: cannot stand beside', 'UPSTREAM_PUBLIC_URL: cannot stand beside']],
    ['no secret for its clientId', { introspection: { protocol: 'rfc7662', url: 'https://a/', clientId: 'weir' } }, { RULES_FILE: 'rules' }, ['INTROSPECTION_CLIENT_SECRET: is missing']],
  ])('--check finds that there is %s', async (_, identity, environment: Record<string, string>, mistakes) => {
    const file = join(directory.path, 'rules.json');
    await writeFile(file, JSON.stringify({ upstreams: { hub: { url: 'http://a' } }, rules: [{ upstream: 'hub' }], identity }));
    const gateway = start({ ...environment, ...('RULES_FILE' in environment ? { RULES_FILE: file } : {}) }, '--check');
    expect(await gateway.ended).toBe(78);
    for (const mistake of mistakes) expect(gateway.errors()).toContain(mistake);
  }); // prettier-ignore
});

function start(environment: Record<string, string>, ...argv: string[]) {
  const child: ChildProcess = spawn(process.execPath, [...SOURCE, join(__dirname, 'main.ts'), ...argv], {
    env: { PATH: process.env['PATH'], GATEWAY_PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = once(child, 'exit').then(([code]: unknown[]) => code as number);
  return {
    child,
    ended,
    errors: () => errors,
    /** A field of the first log line with this message. */
    async logged<T>(message: string, field: string): Promise<T> {
      const line = () => output.split('\n').find((text) => text.includes(`"msg":"${message}"`));
      await until(() => {
        if (child.exitCode !== null) throw new Error(errors || output);
        return line() !== undefined;
      });
      return (JSON.parse(line() ?? '{}') as Record<string, T>)[field] as T;
    },
  };
}

async function contentOf(folder: string): Promise<string> {
  const files = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
  return (await Promise.all(files.map(({ name }) => readFile(join(folder, name), 'latin1')))).join('');
}
