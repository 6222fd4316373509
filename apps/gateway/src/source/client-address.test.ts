import type { IncomingMessage } from 'node:http';
import { createAddressOf } from './client-address';

const PROXY = '198.51.100.1';

/** The address of a request as Node would hand it over. */
function addressOf(trustedProxies: number, headers: Record<string, string>, remoteAddress: string | undefined = PROXY) {
  const request = { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
  return createAddressOf(trustedProxies)(request);
}

describe('behind no trusted proxy', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.7', '192.0.2.7'],
  ])('the connection from %s is %s', (remote, expected) => {
    expect(addressOf(0, {}, remote)).toBe(expected);
  });

  test('a connection that is gone is unknown', () => {
    const request = { socket: {}, headers: {} } as unknown as IncomingMessage;
    expect(createAddressOf(0)(request)).toBe('unknown');
  });

  test('X-Forwarded-For is not looked at', () => {
    expect(addressOf(0, { 'x-forwarded-for': '192.0.2.7' })).toBe(PROXY);
  });
});

describe('behind trusted proxies', () => {
  test.each([
    [1, '192.0.2.7', '192.0.2.7'],
    [1, '203.0.113.9, 192.0.2.7', '192.0.2.7'],
    [1, '203.0.113.9,192.0.2.7', '192.0.2.7'],
    [2, '203.0.113.9, 192.0.2.7, 10.0.0.1', '192.0.2.7'],
    [3, '192.0.2.7, 10.0.0.2, 10.0.0.1', '192.0.2.7'],
    [16, `192.0.2.7${', 10.0.0.1'.repeat(15)}`, '192.0.2.7'],
  ])('%d of them: of %j it is %s, whatever stands left of it', (proxies, forwarded, expected) => {
    expect(addressOf(proxies, { 'x-forwarded-for': forwarded })).toBe(expected);
  });

  test.each([
    ['192.0.2.7:54321', '192.0.2.7'],
    ['[2001:db8:1:2::3]', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::3]:443', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::3', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::3%25', '2001:db8:1:2::/64'],
    ['[::ffff:192.0.2.7]:80', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['  192.0.2.7\t', '192.0.2.7'],
  ])('%j is the address %s', (entry, expected) => {
    expect(addressOf(1, { 'x-forwarded-for': `203.0.113.9, ${entry}` })).toBe(expected);
  });

  test.each([
    ['no header', 1, undefined],
    ['an empty header', 1, ''],
    ['too few entries', 2, '192.0.2.7'],
    ['an empty entry', 1, '192.0.2.7, '],
    ['a word', 1, '192.0.2.7, unknown'],
    ['a name', 1, '192.0.2.7, client.example.com'],
    ['an obfuscated identifier of RFC 7239', 1, '192.0.2.7, _hidden'],
    ['quotes, which belong to another header', 1, '"[2001:db8::1]:443"'],
    ['leading zeros, which some read as octal', 1, '010.0.0.1'],
    ['a number', 1, '3221225991'],
    ['too large a part', 1, '192.0.2.256'],
    ['a port that is none', 1, '192.0.2.7:port'],
    ['an open bracket', 1, '[2001:db8::1'],
    ['something behind the bracket', 1, '[2001:db8::1]x'],
    ['two ::', 1, '2001::db8::1'],
    ['a line of 10,000 characters', 1, `192.0.2.7, ${'1'.repeat(10_000)}`],
    ['an address with a zone of 10,000 characters', 1, `fe80::1%${'a'.repeat(10_000)}`],
  ])('%s: the connection counts', (_, proxies, forwarded) => {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    expect(addressOf(proxies, headers)).toBe(PROXY);
  });

  test('headers that others use for it mean nothing', () => {
    const other = ['x-real-ip', 'forwarded', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip', 'x-scarf-ip'];
    const headers = Object.fromEntries(
      other.map((name) => [name, name === 'forwarded' ? 'for=192.0.2.7' : '192.0.2.7']),
    );
    expect(addressOf(1, headers)).toBe(PROXY);
  });

  test('one client cannot become many by what it writes itself', () => {
    const spoofed = Array.from(
      { length: 1_000 },
      (_, n) => `203.0.113.${n % 256}, 10.${n >> 8}.0.${n & 255}, 192.0.2.7`,
    );
    expect(new Set(spoofed.map((forwarded) => addressOf(1, { 'x-forwarded-for': forwarded })))).toEqual(
      new Set(['192.0.2.7']),
    );
  });

  test('addresses of one /64 are one, those of two are two', () => {
    const inOne = ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:1:2::'];
    expect(new Set(inOne.map((remote) => addressOf(0, {}, remote))).size).toBe(1);
    expect(addressOf(0, {}, '2001:db8:1:3::1')).not.toBe(addressOf(0, {}, '2001:db8:1:2::1'));
  });
});
