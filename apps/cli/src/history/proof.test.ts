import { findReach, type Reach } from '@weir/bus';
import type { DayFound } from '@weir/usage';
import { judge } from './proof';

const NOW = new Date('2026-11-23T12:00:00Z');
const MEMORY = 32 * 86_400;

const found = (given: Partial<DayFound>): DayFound => {
  return { day: '2026-11-22', live: true, counted: 10, recounted: 10, common: 10, ...given };
};
const reach = (complete: boolean, covered: boolean): Reach => ({ complete, covers: () => covered });

const verdict = (given: Partial<DayFound>, { complete = false, covered = false } = {}) => {
  const { exact, rest, partial } = judge([found(given)], reach(complete, covered), MEMORY, NOW);
  if (rest[0]) return rest[0].unknown ? 'unknown ones counted' : `left: ${rest[0].why}`;
  return partial.length > 0 ? 'exact, in part' : exact.length > 0 ? 'exact' : 'nothing';
};

const OLD = '2026-09-01';
const forgotten = 'left: the history begins after it, and its events are no longer remembered one by one';

test.each<[string, Partial<DayFound>, { complete?: boolean; covered?: boolean }, string]>([
  ['every identity is in the history', {}, {}, 'exact'],
  ['more was lost than counted', { counted: 4, common: 4 }, {}, 'exact'],
  ['one is not', { common: 9 }, {}, 'left: the history lacks 1 of the 10 events that were counted'],
  ['one is not, and the history should have all', { common: 9 }, { covered: true }, 'unknown ones counted'],
  ['an old day, of which a late event is remembered', { day: OLD, counted: 1, recounted: 1, common: 1 }, {}, forgotten],
  ['the same, in a history that claims to be complete', { day: OLD, counted: 1, recounted: 1, common: 1 }, { complete: true }, forgotten],
  ['an old day that the history covers', { day: OLD }, { covered: true }, 'exact'],
  ['a recent day whose identities somebody has removed', { counted: 0, common: 0 }, {}, forgotten],
  ['the same, in a complete history', { counted: 0, common: 0 }, { complete: true }, 'exact'],
  ['nothing is live, and the history has all', { live: false, counted: 0, common: 0 }, { covered: true }, 'exact'],
  ['nothing is live, and the history has the end', { live: false, counted: 0, common: 0 }, {}, 'exact, in part'],
])('%s', (_, given, of, expected) => {
  expect(verdict(given, of)).toBe(expected);
}); // prettier-ignore

test('the first day that the history covers is found with few questions', async () => {
  const days = Array.from({ length: 200 }, (_, n) => new Date(Date.UTC(2026, 4, 1 + n)).toISOString().slice(0, 10));
  let asked = 0;
  const history = {
    firstOffset: async () => 7,
    reachesBackTo: async (time: Date) => ((asked += 1), time >= new Date('2026-06-10T05:00:00Z')),
  };
  const { complete, covers } = await findReach(history, days);
  expect(complete).toBe(false);
  // An event of the 11th may have arrived on the 10th.
  expect([covers('2026-06-11'), covers('2026-06-12'), covers('2026-08-01')]).toEqual([false, true, true]);
  expect(asked).toBeLessThanOrEqual(8);
  const none = await findReach({ ...history, reachesBackTo: async () => false }, days);
  expect(none.covers(days.at(-1) ?? '')).toBe(false);
  expect((await findReach(history, [])).covers('2026-06-12')).toBe(false);
});
