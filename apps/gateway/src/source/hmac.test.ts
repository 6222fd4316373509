import { createHmac, randomBytes } from 'node:crypto';
import { hmacSha256 } from './hmac';

test.each([1, 31, 32, 63, 64])('is what others call HMAC-SHA256, with a key of %d bytes', (length) => {
  const key = randomBytes(length);
  for (const text of ['', '192.0.2.1', '2001:db8:0:1::/64', 'x'.repeat(128)]) {
    const digest = createHmac('sha256', key).update(text).digest();
    expect(hmacSha256(key, text, 'base64url', 16)).toBe(digest.toString('base64url', 0, 16));
    expect(hmacSha256(key, text, 'hex', 3)).toBe(digest.toString('hex', 0, 3));
    expect(hmacSha256(key, text, 'hex', 32)).toBe(digest.toString('hex'));
  }
});

test('takes neither a key nor a text that would not fit', () => {
  expect(() => hmacSha256(randomBytes(65), 'a', 'hex', 32)).toThrow(RangeError);
  expect(() => hmacSha256(randomBytes(32), 'a'.repeat(129), 'hex', 32)).toThrow(RangeError);
});
