import {
  architectureOf,
  architecturesOf,
  canonicalDomain,
  createEvent,
  freeMailDomains,
  organizationOf,
  organizationOfEmail,
} from './index';

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
  [' user@sub.Example.com ', 'sub.example.com'],
  ['user@ＥＸＡＭＰＬＥ。com', 'example.com'],
  ['user@exam\u00adple.com', 'example.com'],
  ['user@xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['user@evil.com..', undefined],
  ['user@.evil.com', undefined],
  ['user@a..b.com', undefined],
  ['user@-a.com', undefined],
  ['user@a_b.com', undefined],
  ['user@example.com/evil', undefined],
  ['user@example.com?evil', undefined],
  ['user@example.com:25', undefined],
  ['user@evil%2Ecom', undefined],
  ['user@example.com\0', undefined],
  ['user@ex＠mple.com', undefined],
  ['user@xn--zzzzzz.example', undefined],
  ['"x@y"@evil.com', undefined],
  ['"xy"@evil.com', undefined],
  ['Ann <ann@example.com>', undefined],
  ['ann(a comment)@example.com', undefined],
  ['a\nb@example.com', undefined],
  ['user@localhost', undefined],
  ['user@127.0.0.1', undefined],
  ['user@１.２.３.４', undefined],
  ['user@0x7f.1', undefined],
  ['user@[127.0.0.1]', undefined],
  ['user@[IPv6:::1]', undefined],
  ['user@example.123', undefined],
  [`${'u'.repeat(64)}@example.com`, 'example.com'],
  [`${'u'.repeat(65)}@example.com`, undefined],
  [`user@${'d'.repeat(63)}.com`, `${'d'.repeat(63)}.com`],
  [`user@${'d'.repeat(64)}.com`, undefined],
  [`user@${'d.'.repeat(125)}com`, undefined],
  ['someone@gmail.com', undefined],
  ['Someone@GoogleMail.com.', undefined],
  ['someone@mail.gmail.com', 'mail.gmail.com'],
])('the organization of %s is %s', (email, organization) => {
  expect(organizationOfEmail(email)).toBe(organization);
});

test('a verified organization wins over the e-mail address, and anonymous stays anonymous', () => {
  const of = (data: Record<string, unknown>) => organizationOf(createEvent('io.weir.pull', data, { source: 's' }));
  expect(of({ user: { organization: ' Acme ', email: 'a@b.com' } })).toBe('acme');
  expect(of({ user: { email: 'a@b.com' } })).toBe('b.com');
  expect(of({ user: { email: 'a@gmail.com' } })).toBeUndefined();
  expect(of({ user: { organization: 'gmail.com' } })).toBe('gmail.com');
  expect(of({ user: {} })).toBeUndefined();
  expect(of({ user: null })).toBeUndefined();
  expect(of({})).toBeUndefined();
});

test('the domains of free mail are canonical, and can be others', () => {
  expect(freeMailDomains.size).toBeGreaterThan(150);
  expect([...freeMailDomains].filter((domain) => canonicalDomain(domain) !== domain)).toEqual([]);
  expect(organizationOfEmail('a@gmail.com', new Set(['b.com']))).toBe('gmail.com');
  expect(organizationOfEmail('a@B.com', new Set(['b.com']))).toBeUndefined();
});

test('an address of any length is judged in no time', () => {
  for (const part of ['a', '.', '@', '-', 'a.', 'ü', '"'])
    for (const address of [part.repeat(100_000), `a@${part.repeat(100_000)}`])
      expect(organizationOfEmail(address)).toBeUndefined();
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
