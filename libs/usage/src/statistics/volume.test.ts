import { catalogue, createEvent } from '@weir/events';
import { said } from './cubes.test-support';
import { volume } from './volume';

test.each([
  ['io.weir.pull', 'pull'],
  ['io.weir.build', 'build'],
  ['io.weir.build.finished', 'build'],
  ['io.weir', 'io.weir'],
  ['com.example.orders.paid', 'com.example'],
  ['deployed', 'deployed'],
  ['__proto__', '__proto__'],
])('an event of the type %s is one, in the category %s', (type, category) => {
  expect(said(volume, type, {})).toEqual([{ measures: { events: 1 }, dimensions: { type, category } }]);
});

test('every type of the catalogue is counted, but for those that Weir sends to itself', () => {
  const uncounted = catalogue.filter(({ type }) => said(volume, type, {}).length === 0);
  expect(uncounted.map(({ type }) => type)).toEqual(['io.weir.canary']);
});

test('events of one type share one array, however many types there were', () => {
  const of = (type: string) => volume.increments(createEvent(type, {}, { source: 'test' }));
  expect(of('a.b')).toBe(of('a.b'));
  for (let n = 0; n < 3000; n++) of(`made.up.${n}`);
  expect(of('a.b')).toEqual([{ measures: { events: 1 }, dimensions: { type: 'a.b', category: 'a.b' } }]);
});
