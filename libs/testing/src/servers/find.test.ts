import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findServers } from './find';
import type { FindOptions } from './find';
import { isOpen, processesOf } from './leftovers.test-support';
import { startRedis } from './redis';
import { temporaryDirectory } from './temporary';

describe('finding servers', () => {
  const path = process.env['PATH'];
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let told: string[];
  let options: FindOptions;

  beforeEach(async () => {
    dir = await temporaryDirectory();
    told = [];
    options = { dir: dir.path, docker: false, progress: (text) => told.push(text), ask: async () => false };
  });
  afterEach(async () => {
    process.env['PATH'] = path;
    await dir.remove();
  });

  it('uses the server whose URL is given, and leaves it running', async () => {
    const redis = await startRedis({ dir: join(dir.path, 'theirs') });
    const found = await findServers(['redis'], { ...options, urls: { redis: redis.url } });
    expect(found.redis).toMatchObject({ url: redis.url, found: 'url', pids: [] });
    expect(found.redis.note).toMatch(/from REDIS_URL/);
    expect(found.redis.note).not.toContain(new URL(redis.url).password);
    await found.redis.stop();
    expect(await isOpen(Number(new URL(redis.url).port))).toBe(true);
    await redis.stop();
  });

  it('says which variable names a server that cannot be reached, and starts nothing', async () => {
    const urls = { redis: 'redis://127.0.0.1:1', influxdb: 'nonsense' };
    const finding = findServers(['redis', 'influxdb', 'registry'], { ...options, urls });
    await expect(finding).rejects.toThrow(/REDIS_URL names a server at 127\.0\.0\.1:1 that cannot be reached/);
    await expect(finding).rejects.toThrow(/INFLUX_URL is not a URL/);
    expect(processesOf(dir.path)).toEqual([]);
  });

  it('starts the programs of this machine', async () => {
    const found = await findServers(['redis', 'registry'], options);
    expect([found.redis.found, found.registry.found]).toEqual(['program', 'program']);
    await Promise.all([found.redis.stop(), found.registry.stop()]);
    expect(processesOf(dir.path)).toEqual([]);
  });

  it('runs a container, published on loopback only, where a Docker engine answers', async () => {
    await pretendDocker();
    const found = await findServers(['redis'], { ...options, docker: true });
    expect(found.redis.found).toBe('docker');
    const { port } = new URL(found.redis.url);
    expect(await isOpen(Number(port))).toBe(true);
    await found.redis.stop();
    expect(await isOpen(Number(port))).toBe(false);

    const calls = (await readFile(join(dir.path, 'calls'), 'utf8')).trim().split('\n');
    expect(calls.map((call) => call.split(' ')[0])).toEqual(['version', 'rm', 'run', 'stop', 'rm']);
    expect(calls[2]).toContain(`--publish 127.0.0.1:${port}:6379 `);
    expect(calls[2]).toContain(' redis:7.');
  });

  it('takes a program where Docker has no image, and says so', async () => {
    await pretendDocker('echo "pull access denied" >&2; exit 125');
    const found = await findServers(['redis'], { ...options, docker: true });
    expect(found.redis.found).toBe('program');
    expect(told).toEqual([expect.stringMatching(/redis: docker run failed: pull access denied; trying a program/)]);
    await found.redis.stop();
  });

  /** A `docker` that notes its calls and starts Redis itself: images cannot be had in every place that tests run in. */
  async function pretendDocker(
    run = 'exec redis-server --daemonize yes --bind 127.0.0.1 --port "$port" --requirepass "$password" --dir "$home" --save ""',
  ) {
    const bin = join(dir.path, 'bin');
    await mkdir(bin);
    const script = `#!/bin/bash
home="${dir.path}"
echo "$*" >> "$home/calls"
case "$1" in
  version) echo 28.0.0 ;;
  run)
    port=$(echo "$*" | sed -n 's/.*127.0.0.1:\\([0-9]*\\):6379.*/\\1/p'); echo "$port" > "$home/port"
    password=$(echo "$*" | sed -n 's/.*--requirepass \\([^ ]*\\).*/\\1/p'); echo "$password" > "$home/password"
    ${run} ;;
  stop) redis-cli -p "$(cat "$home/port")" --no-auth-warning -a "$(cat "$home/password")" shutdown nosave ;;
esac
`;
    await writeFile(join(bin, 'docker'), script);
    await chmod(join(bin, 'docker'), 0o755);
    process.env['PATH'] = `${bin}:${path}`;
  }
});
