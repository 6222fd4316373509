import type { SentEvent } from './events';
import { expectedKeys } from './expected';

const event = (type: string, data: Record<string, unknown>): SentEvent => ({
  specversion: '1.0',
  id: '0-0',
  source: '/test',
  type,
  time: '2024-04-23T23:59:59.999Z',
  datacontenttype: 'application/json',
  data,
});

/** Seed 000 and reference usage-metrics 1.2: nothing known is 1 key, one thing known 3, both 7. */
test('the keys of an event are those of seed 000', () => {
  expect(expectedKeys(event('io.weir.build', {}))).toEqual(['builds/d/2024-04-23']);
  expect(expectedKeys(event('io.weir.pull', { user: { email: 'test_metrics@seqera.io' } })).sort()).toEqual([
    'pulls/d/2024-04-23',
    'pulls/o/seqera.io',
    'pulls/o/seqera.io/d/2024-04-23',
  ]);
  const both = event('io.weir.mirror', { user: { organization: 'Org' }, platform: 'linux/arm64/v8' });
  expect(expectedKeys(both).sort()).toEqual([
    'mirrors/a/arm64',
    'mirrors/a/arm64/d/2024-04-23',
    'mirrors/d/2024-04-23',
    'mirrors/o/org',
    'mirrors/o/org/a/arm64',
    'mirrors/o/org/a/arm64/d/2024-04-23',
    'mirrors/o/org/d/2024-04-23',
  ]);
});

test('several platforms are one for the day and one for each architecture; Fusion counts beside the pull', () => {
  expect(expectedKeys(event('io.weir.build', { platforms: ['linux/amd64', 'x86_64', 'linux/arm64'] })).sort()).toEqual([
    'builds/a/amd64',
    'builds/a/amd64/d/2024-04-23',
    'builds/a/arm64',
    'builds/a/arm64/d/2024-04-23',
    'builds/d/2024-04-23',
  ]);
  expect(expectedKeys(event('io.weir.pull', { fusion: true }))).toEqual(['pulls/d/2024-04-23', 'fusion/d/2024-04-23']);
});

test('checks, ends of builds and unknown types are no usage', () => {
  for (const type of ['io.weir.check', 'io.weir.build.finished', 'com.example.deployed'])
    expect(expectedKeys(event(type, { user: { organization: 'org' } }))).toEqual([]);
});
