import { createTally } from './tally';

const taken = (tally: ReturnType<typeof createTally>) => {
  const all: unknown[] = [];
  tally.take((count, ...words) => all.push([...words, count]));
  return all;
};

test('counts by their words, each once', () => {
  const tally = createTally();
  tally.add('blob', 'redirect', '307');
  tally.add('blob', 'redirect', '307');
  tally.add('blob', 'proxy', '200');
  tally.add('manifest', 'redirect');
  expect(taken(tally)).toEqual([
    ['blob', 'redirect', '307', 2],
    ['blob', 'proxy', '200', 1],
    ['manifest', 'redirect', '', 1],
  ]);
  expect(taken(tally)).toEqual([]);
});
