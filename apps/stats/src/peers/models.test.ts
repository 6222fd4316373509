import type { Description } from '@weir/usage';
import { identOf, modelsOf, scheduleOf } from './models';

test.each<[number, string]>([
  [10, '10s'],
  [600, '10m'],
  [86_400, '1d'],
  [90_061, '1d1h1m1s'],
  [90, '1m30s'],
  [36 * 3600, '1d12h'],
  [0, '0s'],
])('%d s are printed as %s', (seconds, text) => expect(scheduleOf(seconds)).toBe(text));

test.each<[string, number, string]>([
  ['volume, by category', 60, 'volume-by-category-1m'],
  ['volume', 1, 'volume-1s'],
  [`A "b" 'c' (d) *e* & f? g`, 3600, 'a-b-c-d-e--f-g-1h'],
])('%s at %d s is called %s', (name, seconds, ident) => expect(identOf(name, seconds)).toBe(ident));

function statistic(name: string, measures: readonly string[], groups: readonly (readonly string[])[]): Description {
  const about = Object.fromEntries(measures.map((measure) => [measure, { summary: measure }]));
  const dimensions = Object.fromEntries(groups.flat().map((dimension) => [dimension, dimension]));
  const rest = { latest: [], keepDays: { hour: 15, day: 800 }, names: 1000, state: 'live', failures: 0 } as const;
  return { name, summary: name, description: name, measures: about, dimensions, groups, ...rest };
}

test('each measure by each group at each resolution is a model', () => {
  const models = modelsOf([
    statistic('pulls', ['pulls', 'bytes'], [['organization'], ['organization', 'clientVersion']]),
    statistic('volume', ['events'], [[], ['category']]),
  ]);
  const of = (name: string) => ['1h', '1d', '7d', '30d'].map((schedule) => `${name}-${schedule}`);
  expect([...models.keys()]).toEqual([
    ...of('pulls'),
    ...of('pulls-by-organization'),
    ...of('pulls-by-organization-and-clientversion'),
    ...of('pulls-bytes'),
    ...of('pulls-bytes-by-organization'),
    ...of('pulls-bytes-by-organization-and-clientversion'),
    ...of('volume'),
    ...of('volume-by-category'),
  ]);
  expect(models.get('volume-by-category-7d')).toMatchObject({ measure: 'events', column: 'volume', interval: '7d', seconds: 604_800 }); // prettier-ignore
  expect(models.get('pulls-bytes-by-organization-1h')).toMatchObject({ column: 'bytes', by: ['organization'], interval: 'hour' }); // prettier-ignore
});

test('of two with one ident there is the first', () => {
  const models = modelsOf([statistic('pulls', ['pulls', 'bytes'], []), statistic('pulls-bytes', ['n'], [])]);
  expect(models.get('pulls-bytes-1d')).toMatchObject({ statistic: { name: 'pulls' }, measure: 'bytes' });
  expect(models.size).toBe(8);
});
