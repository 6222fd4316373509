import { createOrdered } from './ordered';
import { seeded } from '@weir/testing';

test('it is a map whose oldest entry is that of a plain list, whatever is done', () => {
  const random = seeded(11);
  const ordered = createOrdered<string, number>();
  let list: { key: string; value: number }[] = [];
  for (let n = 0; n < 5_000; n += 1) {
    const key = `k${Math.floor(random() * 40)}`;
    const others = list.filter((entry) => entry.key !== key);
    if (random() < 0.6) {
      ordered.put(key, n);
      list = [...others, { key, value: n }];
    } else {
      expect(ordered.delete(key)).toBe(others.length < list.length);
      list = others;
    }
    expect([ordered.oldest()?.key, ordered.oldest()?.value]).toEqual([list[0]?.key, list[0]?.value]);
    expect([ordered.size, ordered.get(key), ordered.has(key)]).toEqual([
      list.length,
      list.find((entry) => entry.key === key)?.value,
      list.some((entry) => entry.key === key),
    ]);
  }
});
