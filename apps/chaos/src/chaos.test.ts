/**
 * A seeded selection of the chaos suite, through its own runner, and three ways to break Weir on purpose, of which the
 * oracle must catch each. `npm run chaos -- --all` plays everything.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Row } from './case';
import { cases } from './cases';
import { brokenBy, mutations } from './mutations';
import { createRunner, type Runner } from './runner';

const root = join(__dirname, '../../..');
const seed = Number(process.env['WEIR_CHAOS_SEED'] ?? 20261123);
/** The broker, a worker, a store's reply and the spool, at the moment that matters; further ones are played broken, below. */
const selection = ['F02', 'F21', 'F35', 'F48'];

const options = {
  root,
  seed,
  path: process.env['PATH'] ?? '',
  mongodbUrl: process.env['WEIR_TEST_MONGODB_URL'] || undefined,
  thorough: false,
  log: () => {},
};
const caseOf = (id: string) => {
  const found = cases.find((each) => each.id === id);
  if (!found) throw new Error(`There is no case ${id}.`);
  return found;
};

beforeAll(() => {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '--build', root], { stdio: 'pipe' });
}, 180_000);

describe(`the selection, seed ${seed}`, () => {
  let runner: Runner;
  beforeAll(() => void (runner = createRunner(options)));
  afterAll(() => runner.close(), 30_000);

  test.each(selection)(
    '%s: nothing is lost, nothing is counted twice',
    async (id) => {
      const row = await runner.play(caseOf(id));
      const clean: Partial<Row> = { lost: 0, duplicated: 0, unknown: 0, payloadDiffers: 0, ok: true };
      expect(row).toEqual({ ...row, ...clean });
      expect(row.acknowledged).toBeGreaterThan(100);
      expect(row.applied).toEqual({ redis: row.usage, influx: row.acknowledged, mongo: row.acknowledged });
    },
    180_000,
  );
});

describe('a Weir that is broken on purpose is caught', () => {
  const caught: Record<string, 'lost' | 'duplicated'> = {
    'ack-before-commit': 'lost',
    'no-dedupe': 'duplicated',
    'answer-before-sync': 'lost',
  };

  test.each(mutations.map((mutation) => [mutation.name, mutation] as const))(
    '%s',
    async (name, mutation) => {
      const runner = createRunner({ ...options, ...brokenBy(mutation, root), stalledMs: 6_000 });
      try {
        const row = await runner.play(caseOf(mutation.case));
        expect(row.ok).toBe(false);
        expect(row[caught[name] ?? 'lost']).toBeGreaterThan(0);
      } finally {
        await runner.close();
      }
    },
    400_000,
  );
});
