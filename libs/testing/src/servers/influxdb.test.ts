import { startInfluxdb } from './influxdb';
import { processesOf } from './leftovers.test-support';
import type { PrivateServer } from './server';
import { temporaryDirectory } from './temporary';

describe('a private InfluxDB', () => {
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: PrivateServer;

  beforeAll(async () => {
    dir = await temporaryDirectory();
    server = await startInfluxdb({ dir: dir.path });
  });
  afterAll(async () => {
    await server.stop();
    await dir.remove();
  });

  it('takes points, answers InfluxQL, and keeps a point through a crash', async () => {
    expect(await ask('/query', 'q=CREATE DATABASE weir')).toMatchObject({ status: 200 });
    expect(await ask('/write?db=weir', 'pull,arch=arm64 count=1i 1700000000000000000')).toMatchObject({ status: 204 });
    await server.kill();
    await server.start();
    const { body } = await ask('/query?db=weir', 'q=SELECT sum("count") FROM "pull" GROUP BY "arch"');
    expect(JSON.parse(body)).toMatchObject({
      results: [{ series: [{ name: 'pull', tags: { arch: 'arm64' }, values: [[expect.any(String), 1]] }] }],
    });
  });

  it('lets nobody in without its password', async () => {
    expect(await ask('/query', 'q=SHOW DATABASES', 'weir:wrong')).toMatchObject({ status: 401 });
    expect(await ask('/query', 'q=CREATE USER "x" WITH PASSWORD \'x\' WITH ALL PRIVILEGES', '')).toMatchObject({
      status: 401,
    });
  });

  it('leaves no process when it is stopped', async () => {
    await server.stop();
    expect(processesOf(dir.path)).toEqual([]);
  });

  async function ask(path: string, body: string, login?: string): Promise<{ status: number; body: string }> {
    const url = new URL(server.url);
    const credentials = login ?? `${url.username}:${url.password}`;
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
    if (credentials) headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
    const response = await fetch(`${url.origin}${path}`, { method: 'POST', headers, body });
    return { status: response.status, body: await response.text() };
  }
});
