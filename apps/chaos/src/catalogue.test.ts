import { cases } from './cases';
import { soakOf } from './soak';
import { unplayable } from './unplayable';

const catalogue = Array.from({ length: 62 }, (_, at) => `F${String(at + 1).padStart(2, '0')}`);
const played = new Set([...cases, soakOf(1)].map(({ id }) => id.slice(0, 3)));
const listed = unplayable.map(({ id }) => id);

test('every entry of the catalogue is played, or listed with the reason why it is not', () => {
  expect(catalogue.filter((id) => !played.has(id) && !listed.includes(id))).toEqual([]);
});

test('nothing is both played and listed as unplayable', () => {
  expect(listed.filter((id) => played.has(id))).toEqual([]);
});

test('every case has an id of its own, from the catalogue', () => {
  const ids = cases.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(catalogue).toContain(id.slice(0, 3));
});

test('every reason says more than that it was not done', () => {
  for (const { reason } of unplayable) expect(reason.length).toBeGreaterThan(20);
});
