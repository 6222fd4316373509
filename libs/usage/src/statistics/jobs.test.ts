import { said } from './cubes.test-support';
import { builds, mirrors, scans } from './jobs';

const cubes = [
  ['build', builds],
  ['mirror', mirrors],
  ['scan', scans],
] as const;

const data = {
  repository: 'acme/app',
  platform: 'linux/x86_64',
  user: { organization: 'ACME' },
  outcome: 'failed',
  durationMs: 41_250.4,
};
const known = { repository: 'acme/app', architecture: ['amd64'], organization: 'acme' }; // prettier-ignore

test.each(cubes)('a %s that begins is started, and has neither outcome nor duration', (kind, cube) => {
  expect(said(cube, `io.weir.${kind}`, data)).toEqual([{ measures: { started: 1 }, dimensions: known }]);
});

test.each(cubes)('a %s that ends is finished, by its outcome, with how long it took', (kind, cube) => {
  const dimensions = { ...known, outcome: 'failed', duration: '10s-1m' };
  expect(said(cube, `io.weir.${kind}.finished`, data)).toEqual([
    { measures: { finished: 1, durationMs: 41_250 }, dimensions },
  ]);
});

test.each(cubes)('what is no %s is not counted as one', (kind, cube) => {
  const others = ['pull', 'check', ...cubes.map(([name]) => name).filter((name) => name !== kind)];
  expect(others.flatMap((name) => said(cube, `io.weir.${name}`, data))).toEqual([]);
  expect(others.flatMap((name) => said(cube, `io.weir.${name}.finished`, data))).toEqual([]);
});

test.each([
  [0, '0s-10s'],
  [9_999, '0s-10s'],
  [10_000, '10s-1m'],
  [59_999.4, '10s-1m'],
  [59_999.5, '1m-5m'],
  [300_000, '5m-15m'],
  [900_000, '15m-1h'],
  [3_600_000, '1h-'],
  [Number.MAX_SAFE_INTEGER, '1h-'],
])('%d ms are in the class %s', (durationMs, duration) => {
  expect(said(builds, 'io.weir.build.finished', { durationMs })[0]?.dimensions).toEqual({ duration });
});

test('a build of which nobody said how long it took is in no class', () => {
  const finished = { repository: 'a', outcome: 'succeeded' };
  expect(said(builds, 'io.weir.build.finished', finished)).toEqual([{ measures: { finished: 1 }, dimensions: finished }]);
}); // prettier-ignore
