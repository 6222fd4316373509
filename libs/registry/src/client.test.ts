import { capabilityOf, parseClient } from './client';
import { REAL_AGENTS } from './client-agents.test-support';
import { clientTable } from './client-table';

test.each(REAL_AGENTS.map(([userAgent, name, version]) => [userAgent, name, version] as const))(
  '%s',
  (userAgent, name, version) => {
    expect(parseClient(userAgent)).toEqual(version === undefined ? { name } : { name, version });
  },
);

test('there are at least 60 of them', () => {
  expect(new Set(REAL_AGENTS.map(([userAgent]) => userAgent)).size).toBeGreaterThanOrEqual(60);
});

test.each([undefined, '', '   ', '(nothing)', '\u0000\u0001', 'é/1', '/', './', ','])(
  '%p names no client',
  (userAgent) => {
    expect(parseClient(userAgent)).toBeUndefined();
  },
);

test('control characters are dropped and never reach a name or version', () => {
  expect(parseClient('dock\u0007er/1.\u009b2\u0000.3 x')).toEqual({ name: 'docker', version: '1.2.3' });
});

test('only the first 512 characters are looked at, and names and versions are bounded', () => {
  expect(parseClient(`docker/1.0 ${'Mozilla'.repeat(10_000)}`)).toEqual({ name: 'docker', version: '1.0' });
  expect(parseClient('a'.repeat(64 * 1024))).toBeUndefined();
  expect(parseClient(`docker/${'1'.repeat(400)}`)).toBeUndefined();
  expect(parseClient(`regclient/regctl (v${'1'.repeat(400)})`)).toEqual({ name: 'regclient' });
});

/** How the client takes a redirect to another host: `no`, `public` content only, or by logging in there (`private`). */
function redirected(name: string, version?: string): string {
  const can = capabilityOf(version === undefined ? { name } : { name, version });
  if (!can?.follows307) return 'no';
  return can.reauthorizes ? 'private' : 'public';
}

test.each([
  ['containerd', '1.3.10', 'public'],
  ['containerd', '1.4.3+azure', 'public'],
  ['containerd', '1.4.8', 'public'],
  ['containerd', '1.4.9', 'private'],
  ['containerd', '1.4.13~ds1', 'private'],
  ['containerd', '1.5.4', 'public'],
  ['containerd', '1.5.5', 'private'],
  ['containerd', '1.6.0-beta.1', 'private'],
  ['containerd', '1.7.12', 'private'],
  ['containerd', '2.3.4-k3s1.36', 'private'],
  ['containerd', '10.0', 'private'],
  ['containerd', 'devel', 'public'],
  ['containerd', undefined, 'public'],
  ['buildkit', '0.9-dev', 'public'],
  ['buildkit', '0.10', 'private'],
  ['buildkit', '0.28', 'private'],
  ['docker', '27.1.1', 'public'],
  ['podman', '4.3.1', 'public'],
  ['containers-image', '5.39.2', 'public'],
  ['crane', '0.19.0', 'public'],
  ['helm', '3.13.3', 'public'],
  ['regclient', '0.7.1', 'public'],
  ['regclient', '0.8.0', 'private'],
  ['curl', '7.88.1', 'no'],
  ['go-http-client', '2.0', 'no'],
  ['notcontainerd', '1.7.0', 'no'],
  ['__proto__', '1', 'no'],
])('%s %s follows: %s', (name, version, expected) => expect(redirected(name, version)).toBe(expected));

test('nothing is known of a client without a name', () => {
  expect(capabilityOf(undefined)).toBeUndefined();
});

describe('the table', () => {
  const { entries, version } = clientTable;

  test('names every client and every product once, in the form that is looked up', () => {
    const products = entries.flatMap((entry) => entry.products);
    expect(new Set(products).size).toBe(products.length);
    expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
    for (const product of products) expect(parseClient(product)).toEqual({ name: expect.any(String) });
    expect(products.map((product) => product.toLowerCase())).toEqual(products);
    expect(version).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  test('says where everything can be read up', () => {
    for (const { releases } of entries) for (const { evidence } of releases) expect(evidence.length).toBeGreaterThan(5);
  });

  test('covers all versions of a client: its last row has no bounds, the others are in order and well-formed', () => {
    for (const { releases } of entries) {
      expect(releases.at(-1)).toMatchObject({ can: expect.any(Object) });
      expect(releases.at(-1)).not.toHaveProperty('from');
      for (const { from, before } of releases.slice(0, -1)) {
        expect(from).toMatch(/^\d+\.\d+\.\d+$/);
        if (before !== undefined) expect(before).toMatch(/^\d+\.\d+\.\d+$/);
      }
    }
  });

  test('no client logs in where it does not even go', () => {
    for (const { releases } of entries)
      for (const { can } of releases) expect(can.reauthorizes && !can.follows307).toBe(false);
  });
});
