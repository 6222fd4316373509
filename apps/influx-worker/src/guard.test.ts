import { createGuard } from './guard';
import type { Series, TagName } from './point';

const point = (tags: [TagName, string][]): Series => ({ measurement: 'pull', tags });

test('the first values of a tag are kept, one too many is `other`', () => {
  const guard = createGuard({ valuesPerTag: 2, series: 100 });
  const series = ['a', 'b', 'c', 'a', 'd'].map((client) => guard.series(point([['client', client]])));
  expect(series).toEqual(['pull,client=a', 'pull,client=b', 'pull,client=other', 'pull,client=a', 'pull,client=other']);
});

test('100,000 values of a tag that anyone can fill make as many as the limit allows', () => {
  const guard = createGuard({ valuesPerTag: 1000, series: 100_000 });
  const series = new Set<string>();
  for (let n = 0; n < 100_000; n += 1) series.add(guard.series(point([['organization', `org-${n}`]])));
  expect(series.size).toBe(1001);
});

test('each tag has its own count', () => {
  const guard = createGuard({ valuesPerTag: 1, series: 100 });
  expect(guard.series(point([['client', 'a'], ['service', 'b']]))).toBe('pull,client=a,service=b'); // prettier-ignore
  expect(guard.series(point([['client', 'b'], ['service', 'b']]))).toBe('pull,client=other,service=b'); // prettier-ignore
});

test('values that the store holds already stay, even when there are more than allowed', () => {
  const guard = createGuard({ valuesPerTag: 2, series: 100 });
  guard.remember('client', ['x', 'y', 'z', 'other']);
  const series = ['z', 'a', 'other'].map((client) => guard.series(point([['client', client]])));
  expect(series).toEqual(['pull,client=z', 'pull,client=other', 'pull,client=other']);
  expect(guard.counts()).toEqual({ values: { client: 3 }, series: 2 });
});

test('beyond the limit of series an event keeps its closed tags only', () => {
  const guard = createGuard({ valuesPerTag: 100, series: 2 });
  guard.rememberSeries(['pull,architecture=amd64,client=a']);
  const of = (client: string): [TagName, string][] => [['architecture', 'amd64'], ['client', client]]; // prettier-ignore
  expect(['b', 'c', 'a'].map((client) => guard.series(point(of(client))))).toEqual([
    'pull,architecture=amd64,client=b',
    'pull,architecture=amd64,client=other',
    'pull,architecture=amd64,client=a',
  ]);
});

test('country and cloud yield before anything else does', () => {
  const guard = createGuard({ valuesPerTag: 100, series: 5 });
  const of = (organization: string, country: string): [TagName, string][] => [
    ['cloud', 'aws'], ['country', country], ['organization', organization], ['pattern', 'development'],
  ]; // prettier-ignore
  const asked = [['a', 'DE'], ['a', 'FR'], ['a', 'IT'], ['a', 'ES'], ['a', 'PL'], ['b', 'PL'], ['c', 'DE'], ['a', 'FR']]; // prettier-ignore
  const told = asked.map(([organization = '', country = '']) => guard.series(point(of(organization, country))));
  expect(told).toEqual([
    ...['DE', 'FR', 'IT', 'ES'].map(
      (country) => `pull,cloud=aws,country=${country},organization=a,pattern=development`,
    ),
    'pull,cloud=other,country=other,organization=a,pattern=development',
    'pull,cloud=other,country=other,organization=other,pattern=development',
    'pull,cloud=other,country=other,organization=other,pattern=development',
    'pull,cloud=aws,country=FR,organization=a,pattern=development',
  ]);
  expect(guard.counts().series).toBe(5);
});
