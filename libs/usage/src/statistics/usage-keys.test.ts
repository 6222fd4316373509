import { createEvent } from '@weir/events';
import { formatCounter } from '../keys';
import { usageKeys } from './usage-keys';

const day = '2024-04-23';

/** The keys that an event of this type and data touches, each with the sum of its steps. */
function keysOf(type: string, data: Record<string, unknown>): Record<string, number> {
  const event = createEvent(type, data, { source: 'test', time: new Date(`${day}T12:00:00.000Z`) });
  const sums: Record<string, number> = {};
  for (const { measure, dimensions, resolution } of usageKeys.steps(event)) {
    const key = formatCounter(measure, dimensions, resolution === 'day' ? day : undefined);
    sums[key] = (sums[key] ?? 0) + 1;
  }
  return sums;
}

const each = (...keys: string[]) => Object.fromEntries(keys.map((key) => [key, 1]));

test.each(['pull', 'build', 'mirror', 'scan'])(
  'a %s of a known organization and architecture touches seven keys',
  (kind) => {
    const data = { repository: 'a', platform: 'linux/arm64/v8', user: { email: 'test_metrics@seqera.io' } };
    expect(keysOf(`io.weir.${kind}`, data)).toEqual(
      each(
        `${kind}s/d/${day}`,
        `${kind}s/o/seqera.io`,
        `${kind}s/o/seqera.io/d/${day}`,
        `${kind}s/a/arm64`,
        `${kind}s/a/arm64/d/${day}`,
        `${kind}s/o/seqera.io/a/arm64`,
        `${kind}s/o/seqera.io/a/arm64/d/${day}`,
      ),
    );
  },
);

test('an anonymous pull without a platform touches its day only', () => {
  expect(keysOf('io.weir.pull', { repository: 'a' })).toEqual(each(`pulls/d/${day}`));
});

test('an anonymous pull touches its day and its architecture', () => {
  expect(keysOf('io.weir.pull', { repository: 'a', platform: 'linux/amd64' })).toEqual(
    each(`pulls/d/${day}`, 'pulls/a/amd64', `pulls/a/amd64/d/${day}`),
  );
});

test('a pull without a platform touches its day and its organization', () => {
  expect(keysOf('io.weir.pull', { repository: 'a', user: { organization: 'acme' } })).toEqual(
    each(`pulls/d/${day}`, 'pulls/o/acme', `pulls/o/acme/d/${day}`),
  );
});

test('a pull of an image with Fusion counts as a pull and as fusion', () => {
  expect(keysOf('io.weir.pull', { repository: 'a', fusion: true, user: { organization: 'acme' } })).toEqual(
    each(
      ...['pulls', 'fusion'].flatMap((metric) => [
        `${metric}/d/${day}`,
        `${metric}/o/acme`,
        `${metric}/o/acme/d/${day}`,
      ]),
    ),
  );
  expect(keysOf('io.weir.pull', { repository: 'a', fusion: 'true' })).toEqual(each(`pulls/d/${day}`));
  expect(keysOf('io.weir.build', { repository: 'a', fusion: true })).toEqual(each(`builds/d/${day}`));
});

test('a build of several platforms is one for day and organization, and one for each distinct architecture', () => {
  const platforms = ['linux/amd64', 'linux/arm64/v8', 'linux/x86_64', 'linux/arm/v7', 'linux/arm/v6'];
  const keys = keysOf('io.weir.build', { repository: 'a', platforms, user: { organization: 'acme' } });
  expect(keys).toEqual(
    each(
      `builds/d/${day}`,
      'builds/o/acme',
      `builds/o/acme/d/${day}`,
      ...['amd64', 'arm64', 'arm'].flatMap((name) => [
        `builds/a/${name}`,
        `builds/a/${name}/d/${day}`,
        `builds/o/acme/a/${name}`,
        `builds/o/acme/a/${name}/d/${day}`,
      ]),
    ),
  );
});

test('arm is an architecture of its own, counted once', () => {
  expect(keysOf('io.weir.pull', { repository: 'a', platform: 'linux/arm/v7' })).toEqual(
    each(`pulls/d/${day}`, 'pulls/a/arm', `pulls/a/arm/d/${day}`),
  );
});

test.each(['check', 'build.finished', 'mirror.finished', 'scan.finished', 'audit', 'view'])(
  'a %s is not counted',
  (kind) => {
    const data = { repository: 'a', platform: 'linux/amd64', outcome: 'succeeded', user: { organization: 'acme' } };
    expect(keysOf(`io.weir.${kind}`, data)).toEqual({});
  },
);

test('a type that looks like a property of every object is not counted', () => {
  expect(keysOf('constructor', {})).toEqual({});
  expect(keysOf('__proto__', {})).toEqual({});
});

test('an organization whose name reads like another combination is not taken for it', () => {
  const first = keysOf('io.weir.pull', { repository: 'a', platform: 'linux/amd64', user: { organization: 'b c' } });
  const second = keysOf('io.weir.pull', { repository: 'a', platforms: ['linux/amd64'], user: { organization: 'c' } });
  expect(Object.keys(first)).toContain('pulls/o/b%20c/a/amd64');
  expect(Object.keys(second)).toContain('pulls/o/c/a/amd64');
});

test('events that count alike share one array, so that a batch does its work once', () => {
  const make = () => usageKeys.steps(createEvent('io.weir.pull', { platform: 'linux/amd64' }, { source: 'test' }));
  expect(make()).toBe(make());
});
