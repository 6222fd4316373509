import { createCache } from './cache';

test('what was set is found, and what is used again outlives what is not', () => {
  const cache = createCache<number>(2);
  cache.set('used', 1);
  cache.set('unused', 2);
  for (let n = 0; n < 100; n++) {
    cache.set(`new ${n}`, n);
    expect(cache.get('used')).toBe(1);
  }
  expect(cache.get('unused')).toBeUndefined();
});

test('it never holds more than twice its size', () => {
  const cache = createCache<number>(10);
  for (let n = 0; n < 1000; n++) cache.set(String(n), n);
  const held = Array.from({ length: 1000 }, (_, n) => cache.get(String(n))).filter((value) => value !== undefined);
  expect(held.length).toBeLessThanOrEqual(20);
  expect(held.length).toBeGreaterThanOrEqual(10);
});
