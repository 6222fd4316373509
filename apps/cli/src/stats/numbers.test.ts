import { change, changeFrom, quantity, share } from './numbers';

test('quantities are grouped, or in the largest unit that they fill', () => {
  expect([0, 999, 1_234_567].map((value) => quantity(value))).toEqual(['0', '999', '1,234,567']);
  expect([0, 999, 1500, 2_340_000_000].map((value) => quantity(value, 'bytes'))).toEqual(['0 B', '999 B', '1.5 kB', '2.3 GB']); // prettier-ignore
  expect([12, 90_000, 200_000_000].map((value) => quantity(value, 'ms'))).toEqual(['12 ms', '1.5 min', '2.3 d']);
  expect(quantity(5, 'constructor')).toBe('5');
});

test('changes have a sign, and from nothing something is new', () => {
  expect([0.2345, -0.05, 0, null].map(change)).toEqual(['+23.5 %', '−5 %', '±0 %', 'new']);
  expect([changeFrom(0, 5), changeFrom(0, 0), changeFrom(10, 5)]).toEqual(['new', '', '−50 %']);
});

test('what is there is never 0 % of the whole', () => {
  expect([share(1, 1000), share(0, 1000), share(148, 1234), share(5, 0)]).toEqual(['< 1 %', '0 %', '12 %', '0 %']);
});
