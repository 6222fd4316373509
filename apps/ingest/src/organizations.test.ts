import { createOrganizationLimit, secondsToNextHour } from './organizations';

const at = (hour: number, minute = 0) => new Date(Date.UTC(2026, 10, 23, hour, minute));

test('a million organizations of one key are cut at the limit, and the memory of them with it', () => {
  const mayName = createOrganizationLimit(1000);
  let letIn = 0;
  for (let n = 0; n < 1_000_000; n += 1) if (mayName('a', `org-${n}`, at(1))) letIn += 1;
  expect(letIn).toBe(1000);
  expect(mayName('a', 'org-999', at(1, 59))).toBe(true);
  expect(mayName('b', 'org-999999', at(1))).toBe(true);
});

test('the next hour begins anew', () => {
  const mayName = createOrganizationLimit(1);
  expect([mayName('a', 'x', at(1)), mayName('a', 'y', at(1)), mayName('a', 'y', at(2))]).toEqual([true, false, true]);
  expect(secondsToNextHour(at(1, 59))).toBe(60);
  expect(secondsToNextHour(at(1))).toBe(3600);
});
