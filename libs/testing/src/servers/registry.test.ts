import { createHash } from 'node:crypto';
import { processesOf } from './leftovers.test-support';
import { startRegistry } from './registry';
import type { PrivateServer } from './server';
import { temporaryDirectory } from './temporary';

describe('a private registry', () => {
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: PrivateServer;

  beforeAll(async () => {
    dir = await temporaryDirectory();
    server = await startRegistry({ dir: dir.path });
  });
  afterAll(async () => {
    await server.stop();
    await dir.remove();
  });

  it('speaks the registry API, keeps a blob through a crash and allows to delete it', async () => {
    const probe = await fetch(`${server.url}/v2/`);
    expect(probe.headers.get('docker-distribution-api-version')).toBe('registry/2.0');

    const blob = Buffer.from('a layer');
    const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
    const upload = await fetch(`${server.url}/v2/library/one/blobs/uploads/`, { method: 'POST' });
    const location = new URL(upload.headers.get('location') ?? '', server.url);
    location.searchParams.set('digest', digest);
    expect((await fetch(location, { method: 'PUT', body: blob })).status).toBe(201);

    await server.kill();
    await server.start();
    const address = `${server.url}/v2/library/one/blobs/${digest}`;
    expect(await (await fetch(address)).text()).toBe('a layer');
    expect((await fetch(address, { method: 'DELETE' })).status).toBe(202);
    expect((await fetch(address, { method: 'HEAD' })).status).toBe(404);
  });

  it('leaves no process when it is stopped', async () => {
    await server.stop();
    expect(processesOf(dir.path)).toEqual([]);
  });
});
