import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, until } from '@weir/testing';
import pino from 'pino';
import { openSpool } from './spool';
import type { CrashPlan } from './spool-crash.fixture';
import type { DiskCall } from './spool-disk-double';
import { randomFrom } from './spool-power-cut.test-support';

jest.setTimeout(180_000); // many processes, one after the other

/** kill -9 at every step of the spool, over one directory: what was acknowledged is there in the end. */
const log = pino({ level: 'silent' });
const source = join(__dirname, '../../testing/src/source.js');
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let dir: string;
let brokerFile: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await temporaryDirectory();
  dir = join(root.path, 'spool');
  brokerFile = join(root.path, 'broker');
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await root.remove();
});

function start(plan: CrashPlan) {
  const fixture = join(__dirname, 'spool-crash.fixture.ts');
  const args = ['--conditions=@weir/source', '--require', source, fixture, JSON.stringify(plan)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close');
  /** A line that was cut in two was not read by anybody. */
  const acknowledged = () => output.split('\n').slice(0, -1);
  return { child, ended, acknowledged };
}

async function confirmed(): Promise<string[]> {
  return (await readFile(brokerFile, 'utf8').catch(() => '')).split('\n').slice(0, -1);
}

/** What is in the spool and what has left it. */
async function kept(): Promise<Set<string>> {
  const ids = new Set(await confirmed());
  const spool = await openSpool({ dir, maxBytes: 256 * 1024 ** 2, log });
  for (let segment = await spool.oldest(); segment; segment = await spool.oldest()) {
    for (const body of segment.payloads) {
      const { id, note } = JSON.parse(body.toString()) as { id: string; note: string };
      expect(note).toBe(id.repeat(note.length / id.length));
      ids.add(id);
    }
    await spool.remove(segment);
  }
  await spool.close();
  return ids;
}

const CALLS: DiskCall[] = ['create', 'write', 'datasync', 'syncDirectory', 'rename', 'unlink'];
const MOMENTS = CALLS.flatMap((call) => (['before', 'after'] as const).map((when) => ({ call, when })));

test('killed before and after every kind of call, one process after the other loses nothing', async () => {
  const seed = 20_261_014;
  const random = randomFrom(seed);
  const acknowledged: string[] = [];
  for (const [round, moment] of MOMENTS.entries()) {
    const at = { ...moment, nth: 1 + Math.floor(random() * 8) };
    const process = start({ dir, brokerFile, round, seed, at });
    expect(await process.ended).toEqual([null, 'SIGKILL']);
    acknowledged.push(...process.acknowledged());
  }
  const ids = await kept();
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(MOMENTS.length);
});

test('killed at any moment, by somebody else, it loses nothing', async () => {
  const seed = 4711;
  const random = randomFrom(seed);
  const acknowledged: string[] = [];
  for (let round = 0; round < 6; round += 1) {
    const process = start({ dir, brokerFile, round, seed });
    const enough = 1 + Math.floor(random() * 400);
    await until(() => process.acknowledged().length >= enough);
    process.child.kill('SIGKILL');
    await process.ended;
    acknowledged.push(...process.acknowledged());
  }
  const ids = await kept();
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
});

test('of two processes the second is refused while the first lives, however the first ends', async () => {
  const first = start({ dir, brokerFile, round: 0, seed: 1 });
  await until(() => first.acknowledged().length > 0);
  await expect(openSpool({ dir, maxBytes: 1024 ** 2, log })).rejects.toThrow(
    `The spool ${dir} is in use by process ${first.child.pid}: give each process its own SPOOL_DIR`,
  );
  first.child.kill('SIGKILL');
  await first.ended;
  expect([...(await kept())]).toEqual(expect.arrayContaining(first.acknowledged()));
});
