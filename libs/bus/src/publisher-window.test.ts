import { createWindow } from './publisher-window';

test('what is in flight is bounded in number and in bytes', () => {
  const window = createWindow({ events: 3, bytes: 100 });
  window.enter(40, () => {});
  expect(window.fits(60)).toBe(true);
  expect(window.fits(61)).toBe(false);
  window.enter(10, () => {});
  const settle = window.enter(10, () => {});
  expect(window.fits(1)).toBe(false);
  settle(true);
  expect(window.events()).toBe(2);
  expect(window.fits(50)).toBe(true);
});

test('one event always fits into an empty window', () => {
  expect(createWindow({ events: 1, bytes: 10 }).fits(11)).toBe(true);
});

test('what is given up is not confirmed, and a confirm that comes late changes nothing', async () => {
  const outcomes: boolean[] = [];
  const window = createWindow({ events: 10, bytes: 100 });
  const settles = [1, 2].map((bytes) => window.enter(bytes, (confirmed) => outcomes.push(confirmed)));
  const empty = window.empty(60_000);
  window.giveUp();
  await empty;
  for (const settle of settles) settle(true);
  expect(outcomes).toEqual([false, false]);
  expect(window.fits(100)).toBe(true);
  expect(window.oldestMs()).toBe(0);
});
