import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cases } from './cases';
import { createRunner } from './runner';
import { startSystem } from './system';

const root = join(__dirname, '../../..');
const path = process.env['PATH'] ?? '';

/** The living processes whose arguments, environment or directory name `dir` (Linux). */
function processesOf(dir: string): string[] {
  const read = (from: () => string) => {
    try {
      return from();
    } catch {
      return ''; // it has ended in the meantime
    }
  };
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    const texts = ['cmdline', 'environ'].map((file) => read(() => readFileSync(`/proc/${pid}/${file}`, 'utf8')));
    return [...texts, read(() => readlinkSync(`/proc/${pid}/cwd`))].some((text) => text.includes(dir));
  });
}

test('a system of which one server cannot start leaves no process behind', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-chaos-test-'));
  await writeFile(join(dir, 'influxdb'), 'where its directory should be');
  try {
    await expect(startSystem({ dir, root, path })).rejects.toThrow(/EEXIST|ENOTDIR/);
    expect(existsSync(join(dir, 'rabbitmq'))).toBe(true); // so it had been started
    expect(processesOf(dir)).toEqual([]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}, 300_000);

test('nor does one that fails when its servers run, and its directory goes too', async () => {
  const said: string[] = [];
  const log = (text: string) => void said.push(text);
  const runner = createRunner({ root, path, mongodbUrl: 'no URL', seed: 1, thorough: false, log });
  const [first] = cases;
  if (!first) throw new Error('there are no cases');
  await expect(runner.play(first)).rejects.toThrow('Invalid URL');
  await runner.close();
  const dir = /starting servers and apps in (\S+)/.exec(said.join('\n'))?.[1] ?? '';
  expect(dir).toContain('weir-chaos-');
  expect(existsSync(dir)).toBe(false);
  expect(processesOf(dir)).toEqual([]);
}, 300_000);
