import { appendFileSync, writeSync } from 'node:fs';
import pino from 'pino';
import { openSpool } from './spool';
import { diskDouble, type DiskCall } from './spool-disk-double';
import { randomFrom } from './spool-power-cut.test-support';

/**
 * A process of its own that a test kills: it appends bursts of events, prints the id of each that is acknowledged, and
 * drains into a file that stands for the broker. It may be told the moment at which it kills itself.
 */
export interface CrashPlan {
  dir: string;
  /** What has been confirmed, an id a line. */
  brokerFile: string;
  round: number;
  seed: number;
  /** Before or right after the nth call of this kind since the spool was opened. */
  at?: { call: DiskCall; nth: number; when: 'before' | 'after' };
}

const plan = JSON.parse(process.argv[2] ?? '') as CrashPlan;
const random = randomFrom(plan.seed + plan.round);
const disk = diskDouble();
const die = () => process.kill(process.pid, 'SIGKILL');

async function run(): Promise<void> {
  const spool = await openSpool({
    dir: plan.dir,
    maxBytes: 256 * 1024 ** 2,
    log: pino({ level: 'silent' }),
    fs: disk.fs,
  });
  const { at } = plan;
  let left = at?.nth ?? 0;
  if (at) disk[at.when](at.call, () => (left -= 1) === 0 && die());
  for (let serial = 0; ; serial += 1) {
    const burst = Array.from({ length: 1 + Math.floor(random() * 30) }, async (_, n) => {
      const id = `${plan.round}-${serial}-${n}`;
      await spool.append(Buffer.from(JSON.stringify({ id, note: id.repeat(Math.floor(random() * 200)) })));
      writeSync(1, `${id}\n`);
    });
    await Promise.all([...burst, random() < 0.3 ? drainOne() : undefined]);
  }

  async function drainOne(): Promise<void> {
    const segment = await spool.oldest();
    if (!segment) return;
    const ids = segment.payloads.map((body) => (JSON.parse(body.toString()) as { id: string }).id);
    appendFileSync(plan.brokerFile, ids.map((id) => `${id}\n`).join(''));
    await spool.remove(segment);
  }
}

void run();
