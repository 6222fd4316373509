import { said } from './cubes.test-support';
import { health } from './health';

test('a measurement is a check, and how long the answer took is added up in whole milliseconds', () => {
  const measures = { checks: 1, healthy: 1, timed: 1, responseTimeMs: 13 };
  expect(said(health, 'io.weir.health', { service: 'registry', healthy: true, responseTimeMs: 12.5 })).toEqual([
    { measures, dimensions: { service: 'registry' } },
  ]);
});

test('a service that is not well is a check that is not healthy, and need not have answered', () => {
  expect(said(health, 'io.weir.health', { service: 'registry', healthy: false })).toEqual([
    { measures: { checks: 1 }, dimensions: { service: 'registry' } },
  ]);
});

test('an outage is no measurement', () => {
  expect(said(health, 'io.weir.outage', { service: 'registry', state: 'down' })).toEqual([]);
});
