import { architectureOf, architecturesOf, createEvent, organizationOf, organizationOfEmail } from './index';

test.each([
  ['user@example.com', 'example.com'],
  ['john.doe@test.org', 'test.org'],
  ['foo@bar.co.uk', 'bar.co.uk'],
  ['test_metrics@seqera.io', 'seqera.io'],
  ['User@ORG1.com', 'org1.com'],
  ['user@evil.com.', 'evil.com'],
  ['user@bücher.example', 'xn--bcher-kva.example'],
  ['invalid_email', undefined],
  ['user@', undefined],
  ['@example.com', undefined],
  ['a@b@c.com', undefined],
  ['user@exa mple.com', undefined],
  ['user@../d/2024-01-01', undefined],
])('the organization of %s is %s', (email, organization) => {
  expect(organizationOfEmail(email)).toBe(organization);
});

test('a verified organization wins over the e-mail address, and anonymous stays anonymous', () => {
  const of = (data: Record<string, unknown>) => organizationOf(createEvent('io.weir.pull', data, { source: 's' }));
  expect(of({ user: { organization: ' Acme ', email: 'a@b.com' } })).toBe('acme');
  expect(of({ user: { email: 'a@b.com' } })).toBe('b.com');
  expect(of({ user: {} })).toBeUndefined();
  expect(of({ user: null })).toBeUndefined();
  expect(of({})).toBeUndefined();
});

test.each([
  ['linux/amd64', 'amd64'],
  ['linux/arm64/v8', 'arm64'],
  ['linux/arm/v6', 'arm'],
  ['linux/arm/v7', 'arm'],
  ['windows(10.0.17763)/amd64', 'amd64'],
  ['linux/e2k', 'unknown'],
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['ARM64', 'arm64'],
  ['unknown/unknown', 'unknown'],
  ['linux/a/d/2024-01-01', 'unknown'],
])('the architecture of %s is %s', (platform, architecture) => {
  expect(architectureOf(platform)).toBe(architecture);
});

test('several platforms are their distinct architectures', () => {
  const of = (data: Record<string, unknown>) => architecturesOf({ data });
  expect(of({ platforms: ['linux/arm/v6', 'linux/arm/v7', 'linux/amd64'] })).toEqual(['arm', 'amd64']);
  expect(of({ platform: 'linux/arm64' })).toEqual(['arm64']);
  expect(of({})).toEqual([]);
});
