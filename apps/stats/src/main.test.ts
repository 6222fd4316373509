import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const source = join(__dirname, '../../../libs/testing/src/source.js');

/** The process as it is started in earnest, with nothing in its environment but this. */
function stats(env: Record<string, string>) {
  const options = { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
  return spawn(process.execPath, ['--conditions=@weir/source', '--require', source, join(__dirname, 'main.ts')], options);
} // prettier-ignore

test('every mistake in the configuration is reported at once, secrets unsaid', async () => {
  const child = stats({ STATS_USERS: 'ada:lovelace', STATS_PORT: 'http', REDIS_URL: 'localhost:6379' });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  expect(await once(child, 'close')).toEqual([78, null]);
  expect(said).toMatch(/3 mistakes:\n {2}STATS_PORT: must be a port.*\n {2}STATS_USERS: must be name:hash pairs.*\n {2}REDIS_URL: must be a URL/); // prettier-ignore
  expect(said).not.toContain('lovelace');
});

test('without Redis it starts, is alive, is not ready and says why, and stops cleanly', async () => {
  // Port 1 is nobody's.
  const child = stats({ STATS_USERS: `ada:${'0'.repeat(64)}`, STATS_PORT: '0', REDIS_URL: 'redis://:open-sesame@127.0.0.1:1' });
  const lines: Record<string, unknown>[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(JSON.parse(line) as Record<string, unknown>);
    if (lines.some(({ msg }) => msg === 'started') && lines.some(({ msg }) => String(msg).includes('cannot be used'))) break;
  }
  const admin = `http://127.0.0.1:${lines.find(({ msg }) => msg === 'started')?.['adminPort'] as number}`;
  const api = `http://127.0.0.1:${lines.find(({ msg }) => msg === 'answering')?.['port'] as number}`;
  expect((await fetch(`${admin}/healthz`)).status).toBe(200);
  const ready = await fetch(`${admin}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('Redis at 127.0.0.1:1: connect ECONNREFUSED')]);
  expect((await fetch(`${api}/v1alpha3/metrics/pulls`)).status).toBe(401);
  expect(JSON.stringify(lines)).not.toContain('open-sesame');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
}); // prettier-ignore
