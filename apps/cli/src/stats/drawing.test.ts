import { bar, sparkline } from './drawing';

describe('sparkline', () => {
  test('reaches from ▂ for the least that is something to █ for the most; ▁ is nothing at all, · is not known', () => {
    expect(sparkline([0, 1, 50, 100, null, 7], 10)).toBe('▁▂▅█·▂');
    expect(sparkline([1, 1_000_000], 10)).toBe('▂█');
  });

  test('of nothing is flat or empty', () => {
    expect(sparkline([0, 0, 0], 10)).toBe('▁▁▁');
    expect(sparkline([], 10)).toBe('');
    expect(sparkline([null, null], 10)).toBe('··');
  });

  test('adds up neighbours where there is no room for each; what is not known hides nothing', () => {
    expect(sparkline([1, 1, 2, 2, 0, 0, null, 4], 4)).toBe('▅█▁█');
    expect([
      ...sparkline(
        Array.from({ length: 366 }, () => 5),
        60,
      ),
    ]).toHaveLength(60);
    expect(sparkline([null, null, 0, 1], 2)).toBe('·█');
  });
});

describe('bar', () => {
  test('is as long as the number is of the largest, in eighths', () => {
    expect([100, 50, 25, 6.25].map((value) => bar(value, 100, 4))).toEqual(['████', '██', '█', '▎']);
  });

  test('only nothing has none, and nothing is longer than its room', () => {
    expect([1, 0, -5].map((value) => bar(value, 1e9, 10))).toEqual(['▏', '', '']);
    expect(bar(200, 100, 4)).toBe('████');
    expect(bar(5, 0, 4)).toBe('');
  });
});
