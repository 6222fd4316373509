import { growthOf, inTurn, measured } from './measure';
import { alone, atLeast, atMost, compared } from './row';
import { cellsOf, tableOf } from './table';

test('a median is the middle, or half-way between the two in the middle', () => {
  expect(measured([3, 1, 2]).median).toBe(2);
  expect(measured([4, 1, 2, 3]).median).toBe(2.5);
  expect(measured([]).median).toBeNaN();
});

test('sides are measured in turn', async () => {
  const order: string[] = [];
  const side = (name: string, figures: number[]) => async () => {
    order.push(name);
    return figures.shift() ?? NaN;
  };
  const found = await inTurn(2, { bare: side('bare', [10, 30]), weir: side('weir', [5, 7]) }, () => {});
  expect(order).toEqual(['bare', 'weir', 'bare', 'weir']);
  expect(found).toEqual({ bare: { rounds: [10, 30], median: 20 }, weir: { rounds: [5, 7], median: 6 } });
});

test('growth is from the second quarter to the last', () => {
  expect(growthOf([900, 100, 100, 110])).toBeCloseTo(10);
  expect(growthOf([1, 2, 2, 2, 2, 2, 2, 2])).toBeCloseTo(0);
});

describe('a row', () => {
  const value = measured([70, 80, 90]);
  const limit = measured([100, 100, 90]);

  test('holds the ratio of medians against the target, and shows what it was in each round', () => {
    const row = compared({ name: 'drain', unit: 'events/s', value, limit, target: atLeast(0.8) });
    expect(row).toMatchObject({ value: 80, limit: 100, ratio: 0.8, spread: [0.7, 1], ok: true });
  });

  test.each([
    [atLeast(0.81), false],
    [atMost(0.8), true],
    [atMost(0.79), false],
  ])('is ok or not: %j', (target, ok) => {
    expect(compared({ name: 'drain', unit: 'events/s', value, limit, target }).ok).toBe(ok);
  });

  test('of its own is held against the target itself', () => {
    expect(alone({ name: 'memory', unit: 'MB', value, target: atMost(80) })).toMatchObject({ ratio: null, ok: true });
    expect(alone({ name: 'memory', unit: 'MB', value, target: atMost(79) }).ok).toBe(false);
  });

  test('misses its target when what must hold does not, or nothing was measured', () => {
    expect(alone({ name: 'two', unit: 'events/s', value, target: atMost(80), holds: false }).ok).toBe(false);
    expect(alone({ name: 'none', unit: 's', value: measured([]), target: atMost(80) }).ok).toBe(false);
    expect(compared({ name: 'none', unit: 's', value, limit: measured([]), target: atLeast(0) }).ok).toBe(false);
  });

  test('says in the table whether it was met', () => {
    const rows = [
      compared({ name: 'drain', unit: 'events/s', value, limit, target: atLeast(0.9), note: 'on one core' }),
      alone({ name: 'memory', unit: 'MB', value }),
    ];
    expect(rows.map((row) => cellsOf(row, ' '))).toEqual([
      ['drain (on one core)', 'events/s', '80.0', '100', '0.80', '0.70 to 1.00', 'at least 0.9', 'missed'],
      ['memory', 'MB', '80.0', '', '', '70.0 to 90.0', 'none', ''],
    ]);
    expect(tableOf(rows)).toContain('\u001b[31mmissed');
  });
});
