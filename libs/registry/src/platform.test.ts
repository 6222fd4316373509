import { formatPlatform, parsePlatform, platformFrom } from './platform';

/** One platform, one spelling: what indexes, configurations and people write, and what an event says. */
test.each([
  ['linux/amd64', 'linux/amd64'],
  ['Linux/x86_64', 'linux/amd64'],
  ['linux/x86-64', 'linux/amd64'],
  ['linux/amd64/v1', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
  ['linux/i386', 'linux/386'],
  ['linux/386/softfloat', 'linux/386'],
  ['linux/arm64', 'linux/arm64/v8'],
  ['linux/arm64/8', 'linux/arm64/v8'],
  ['linux/arm64/v8', 'linux/arm64/v8'],
  ['linux/arm64/v9', 'linux/arm64/v9'],
  ['linux/aarch64', 'linux/arm64/v8'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/7', 'linux/arm/v7'],
  ['linux/arm/v7', 'linux/arm/v7'],
  ['linux/arm/v6', 'linux/arm/v6'],
  ['linux/arm/5', 'linux/arm/v5'],
  ['linux/armhf', 'linux/arm/v7'],
  ['linux/armv6l', 'linux/arm/v6'],
  ['linux/armel', 'linux/arm/v6'],
  ['linux/riscv64', 'linux/riscv64'],
  ['linux/mips64le', 'linux/mips64le'],
  ['linux/e2k', 'linux/e2k'],
  ['macos/arm64', 'darwin/arm64/v8'],
  ['windows/amd64', 'windows/amd64'],
  ['windows(10.0.17763.3406)/amd64', 'windows(10.0.17763)/amd64'],
])('%s is %s', (text, spelled) => {
  const platform = parsePlatform(text);
  expect(platform && formatPlatform(platform)).toBe(spelled);
  expect(parsePlatform(spelled)).toEqual(platform);
});

test.each([
  '', 'linux', 'linux/', '/amd64', 'a/b/c/d', 'linux/am d64', 'unknown/unknown', 'linux/unknown', 'unknown/amd64',
  'linux/\n', 'linux(/amd64', `linux/${'a'.repeat(21)}`, `${'linux'.repeat(30)}/amd64`,
])('%p is no platform', (text) => expect(parsePlatform(text)).toBeUndefined()); // prettier-ignore

test('JSON of the wrong shape names none', () => {
  for (const json of [null, 'linux/amd64', 7, [], { os: 1 }, { os: 'linux', architecture: {} }])
    expect(platformFrom(json)).toBeUndefined();
});

test('the versions of Windows differ by their build, not by their revision; Linux has none', () => {
  const of = (os: string, version: unknown) => platformFrom({ os, architecture: 'amd64', 'os.version': version });
  expect(of('windows', '10.0.20348.2227')).toEqual({ os: 'windows', architecture: 'amd64', osVersion: '10.0.20348' });
  expect(of('windows', '10.0.20348.1')).toEqual(of('windows', '10.0.20348'));
  expect(of('windows', '10.0')).toEqual({ os: 'windows', architecture: 'amd64' });
  expect(of('windows', { toString: 'x' })).toEqual({ os: 'windows', architecture: 'amd64' });
  expect(of('linux', '6.1.0')).toEqual({ os: 'linux', architecture: 'amd64' });
});

test('the longest platform fits into an event', () => {
  const long = 'x'.repeat(20);
  expect(formatPlatform({ os: long, architecture: long, variant: long }).length).toBeLessThanOrEqual(64);
  const windows = platformFrom({
    os: 'windows',
    architecture: long,
    variant: long,
    'os.version': '10.99.99999.1',
  });
  expect(windows && formatPlatform(windows).length).toBeLessThanOrEqual(64);
});
