import { createExpiring, createLru } from './lru';

const NUMBERS = Array.from({ length: 1000 }, (_, n) => n);

describe('a bounded memory', () => {
  test('forgets what was not used for longest', () => {
    const lru = createLru<number>(4);
    lru.set('a', 1);
    lru.set('b', 2);
    lru.set('c', 3);
    lru.get('a');
    lru.set('d', 4);
    expect(['a', 'b', 'c', 'd'].map(lru.get)).toEqual([1, undefined, 3, 4]);
  });

  test('keeps the last half of what it may, and never more than all', () => {
    const lru = createLru<number>(100);
    for (const n of NUMBERS) {
      lru.set(`${n}`, n);
      expect(lru.size).toBeLessThanOrEqual(100);
    }
    for (const n of NUMBERS.slice(-50)) expect(lru.get(`${n}`)).toBe(n);
  });

  test('what is used again and again stays, whatever else comes', () => {
    const lru = createLru<number>(10);
    lru.set('used', -1);
    for (const n of NUMBERS) {
      lru.set(`${n}`, n);
      expect(lru.get('used')).toBe(-1);
    }
  });

  test('the newest value counts, and what is deleted is gone in both generations', () => {
    const lru = createLru<number>(4);
    lru.set('a', 1);
    lru.set('b', 2);
    lru.set('c', 3); // the first two are the older ones now
    lru.set('a', 4);
    expect(lru.get('a')).toBe(4);
    lru.delete('a');
    lru.delete('b');
    lru.delete('c');
    expect(['a', 'b', 'c'].map(lru.get)).toEqual([undefined, undefined, undefined]);
    expect(lru.size).toBe(0);
  });

  test('heavy entries count for more, and one too heavy is not kept, nor what it was to replace', () => {
    const lru = createLru<number>(100, (weight) => weight);
    for (const n of NUMBERS) lru.set(`${n}`, 10);
    expect(lru.size).toBe(10);
    lru.set('heavy', 5);
    lru.set('heavy', 51);
    expect(lru.get('heavy')).toBeUndefined();
    for (const n of NUMBERS.slice(-4)) expect(lru.get(`${n}`)).toBe(10);
  });

  test('entries that are set anew weigh what they weigh now', () => {
    const lru = createLru<number>(100, (weight) => weight);
    lru.set('other', 10);
    for (const n of NUMBERS) lru.set('a', (n % 40) + 1);
    expect(lru.get('other')).toBe(10);
  });

  test('forgets what is too old', () => {
    const lru = createExpiring<number>(4, 0);
    lru.set('a', 1);
    expect(lru.get('a')).toBeUndefined();
    expect(lru.size).toBe(0);
    const lasting = createExpiring<number>(4, 60_000);
    lasting.set('a', 1);
    expect(lasting.get('a')).toBe(1);
  });
});
