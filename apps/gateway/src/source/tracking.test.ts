import { recordedOf } from './tracking';

describe.each(['dnt', 'sec-gpc'])('%s', (header) => {
  test.each([
    ['anonymize', '1', 'no-source'],
    ['omit', '1', 'nothing'],
    ['ignore', '1', 'all'],
    ['anonymize', '0', 'all'],
    ['anonymize', '', 'all'],
    ['anonymize', 'null', 'all'],
    ['omit', '0', 'all'],
    ['anonymize', '1, 1', 'no-source'],
  ] as const)('%s with %j records %s', (mode, value, expected) => {
    expect(recordedOf({ [header]: value }, mode)).toBe(expected);
  });
});

test('either of the two is enough', () => {
  expect(recordedOf({ dnt: '0', 'sec-gpc': '1' }, 'anonymize')).toBe('no-source');
  expect(recordedOf({ dnt: '1', 'sec-gpc': '0' }, 'omit')).toBe('nothing');
});

test('without them everything is recorded', () => {
  expect(recordedOf({}, 'omit')).toBe('all');
});
