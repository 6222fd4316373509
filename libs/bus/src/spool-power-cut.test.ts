import { join } from 'node:path';
import { temporaryDirectory } from '@weir/testing';
import pino from 'pino';
import { openSpool, type Spool } from './spool';
import { forgetfulDisk, randomFrom } from './spool-power-cut.test-support';

/** The power goes at a seeded operation, again and again, over one spool that is written and drained at once. */
const log = pino({ level: 'silent' });
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeEach(async () => {
  root = await temporaryDirectory();
});
afterEach(() => root.remove());

interface Journal {
  issued: Set<string>;
  /** Acknowledged by the spool when the power went. */
  acknowledged: Set<string>;
  /** Confirmed by a broker that is no part of this. */
  confirmed: string[];
}

/** Appends, and drains now and then, until the power goes; then leaves in `to` what is left of `from`. */
async function live(from: string, to: string, round: number, journal: Journal, seed: number, lies: boolean) {
  const random = randomFrom(seed + round);
  const disk = await forgetfulDisk(from, `${from}-stash`, { lies });
  const spool = await openSpool({ dir: from, maxBytes: 64 * 1024 ** 2, log, fs: disk.fs });
  let leave: ((into: string) => Promise<void>) | undefined;
  let operations = 5 + Math.floor(random() * 60);
  disk.onOperation(() => {
    operations -= 1;
    if (operations === 0) leave = disk.cut(random);
  });
  const drainOne = async (): Promise<void> => {
    const segment = await spool.oldest();
    if (!segment || leave) return;
    journal.confirmed.push(...segment.payloads.map(idOf));
    await spool.remove(segment);
  };
  for (let serial = 0; !leave; serial += 1) {
    const burst = Array.from({ length: 1 + Math.floor(random() * 20) }, (_, n) => `${round}-${serial}-${n}`);
    const appending = burst.map(async (id) => {
      journal.issued.add(id);
      await spool.append(bodyOf(id, Math.floor(random() * 2000)));
      if (!leave) journal.acknowledged.add(id);
    });
    await Promise.all([...appending, random() < 0.3 ? drainOne() : undefined]);
  }
  await spool.close();
  await leave(to);
}

const bodyOf = (id: string, padding: number) => Buffer.from(`{"id":"${id}","note":"${'x'.repeat(padding)}"}`);
const idOf = (body: Buffer) => (JSON.parse(body.toString()) as { id: string }).id;

async function empty(spool: Spool, journal: Journal): Promise<void> {
  for (let segment = await spool.oldest(); segment; segment = await spool.oldest()) {
    journal.confirmed.push(...segment.payloads.map(idOf));
    await spool.remove(segment);
  }
  await spool.close();
}

async function cuts(count: number, seed: number, { lies = false } = {}): Promise<Journal & { lost: string[] }> {
  const journal: Journal = { issued: new Set(), acknowledged: new Set(), confirmed: [] };
  const dirOf = (round: number) => join(root.path, `${seed}-${round}`);
  await (await openSpool({ dir: dirOf(0), maxBytes: 1, log })).close();
  for (let round = 0; round < count; round += 1) await live(dirOf(round), dirOf(round + 1), round, journal, seed, lies);
  await empty(await openSpool({ dir: dirOf(count), maxBytes: 64 * 1024 ** 2, log }), journal);
  const confirmed = new Set(journal.confirmed);
  return { ...journal, lost: [...journal.acknowledged].filter((id) => !confirmed.has(id)) };
}

test.each([1, 20_261_014, 4_294_967_291])('nothing acknowledged is lost by power cuts (seed %i)', async (seed) => {
  const { issued, acknowledged, confirmed, lost } = await cuts(25, seed);
  expect(lost).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(100);
  expect(confirmed.filter((id) => !issued.has(id))).toEqual([]);
});

test('it would be seen: a disk that lies about fdatasync loses what was acknowledged', async () => {
  expect((await cuts(25, 7, { lies: true })).lost.length).toBeGreaterThan(0);
});
