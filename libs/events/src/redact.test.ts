import { checkEvent, createEvent, encodeEvent, limits, redact, type WeirEvent } from './index';

// S50 and S51 of the reliability reference, part B.

const event = (data: object, more: object = {}): WeirEvent => ({
  ...createEvent('com.example.x', data, { source: '/a', id: '1', time: new Date('2026-11-23T06:54:00Z') }),
  ...more,
});

const dataOf = (data: object) => {
  const redacted = redact(event(data));
  return redacted.ok ? redacted.event.data : redacted.problems;
};

describe('a credential', () => {
  test.each([
    'authorization', 'Proxy-Authorization', 'cookie', 'Set-Cookie', 'X-Api-Key', 'api-key', 'api_key', 'apiKey', 'APIKEY',
    'password', 'passwd', 'secret', 'client_secret', 'access_token', 'refreshToken', 'id_token', 'token', 'private_key',
    'PRIVATE-TOKEN', 'X-Registry-Auth', 'X-Amz-Security-Token', 'identitytoken',
  ])('is taken out of a field %s, at any depth, alone and in a list', (name) => {
    const clean = { [name]: '[redacted]', beside: 'stays' };
    const dirty = { [name]: 'hidden-value', beside: 'stays' };
    const listed = { [name]: ['hidden-value'], beside: 'stays' };
    expect(dataOf(dirty)).toEqual(clean);
    expect(dataOf({ request: { headers: [dirty, listed] } })).toEqual({ request: { headers: [clean, clean] } });
  }); // prettier-ignore

  test.each([
    ['https://user:hidden@example.com/v2/', 'https://[redacted]@example.com/v2/'],
    ['https://hidden@example.com', 'https://[redacted]@example.com'],
    ['amqp://a:hid@den@example.com', 'amqp://[redacted]@example.com'],
    ['from https://u:hidden@a.example to https://u:hidden@b.example', 'from https://[redacted]@a.example to https://[redacted]@b.example'],
    ['https://example.com/?a=1&access_token=hidden&b=2', 'https://example.com/?a=1&access_token=[redacted]&b=2'],
    ['https://example.com/b?sv=2024&sig=hid%2Bden%3D', 'https://example.com/b?sv=2024&sig=[redacted]'],
    ['https://example.com/b?X-Amz-Credential=hidden&X-Amz-Signature=hidden#x', 'https://example.com/b?X-Amz-Credential=[redacted]&X-Amz-Signature=[redacted]#x'],
    ['https://example.com/cb#id_token=hidden', 'https://example.com/cb#id_token=[redacted]'],
    ['/v2/a/blobs/b?TOKEN=hidden', '/v2/a/blobs/b?TOKEN=[redacted]'],
    ['password=hidden&user=me', 'password=[redacted]&user=me'],
    ['/go?to=https%3A%2F%2Fexample.com%2F%3Ftoken%3Dhidden&b=2', '/go?to=https%3A%2F%2Fexample.com%2F%3Ftoken%3D[redacted]&b=2'],
  ])('is taken out of a URL: %s', (dirty, clean) => {
    expect(dataOf({ a: { b: [dirty] } })).toEqual({ a: { b: [clean] } });
    expect(redact(event({}, { subject: dirty }))).toMatchObject({ ok: true, event: { subject: clean } });
  }); // prettier-ignore

  test('is taken out of the extensions of an event', () => {
    expect(redact(event({}, { authorization: 'Bearer hidden', trace: 't' }))).toEqual({
      ok: true, event: event({}, { authorization: '[redacted]', trace: 't' }),
    }); // prettier-ignore
  });

  test.each(['id', 'source', 'type'])('in the identity of an event is a problem: %s', (field) => {
    const redacted = redact(event({}, { [field]: 'https://user:hidden@example.com' }));
    expect(redacted).toEqual({ ok: false, problems: [{ field, message: expect.stringContaining('credential') as string }] }); // prettier-ignore
    expect(JSON.stringify(redacted)).not.toContain('hidden');
  });
});

describe('an address', () => {
  test.each(['addr', 'ip', 'remote_addr', 'remoteAddress', 'client_ip', 'X-Forwarded-For', 'X-Real-IP', 'Forwarded'])(
    'is left out of a field %s, at any depth, alone and in a list',
    (name) => {
      const dirty = { [name]: '192.0.2.7:54970', beside: 'stays' };
      const listed = { [name]: ['192.0.2.7'] };
      const number = { [name]: 3_221_225_991 };
      expect(dataOf(dirty)).toEqual({ beside: 'stays' });
      expect(dataOf({ request: [dirty, listed, number] })).toEqual({ request: [{ beside: 'stays' }, {}, {}] });
    },
  );
});

describe('what only looks like it stays:', () => {
  test.each([
    { token: 12, tokens: 'many', password: true, secret: null, cookie: {}, tokenCount: '3' },
    { email: 'me@example.com', image: 'example.com:5000/a/b@sha256:0', resource: 'ssh://example.com/~me/a@b' },
    { url: 'https://example.com/@scope/name?page=2&sigma=3', text: 'the token=x of a sentence; a signature = y' },
    { ip: { version: 6 }, addresses: 'many', forwarded: true, zip: '12345' },
    { signature: 'sha256:0', key: 'a/b', author: 'me', kind: 'signature', keys: ['a'] },
  ])('%j', (data) => {
    const one = event(data);
    const redacted = redact(one);
    expect(redacted).toEqual({ ok: true, event: one });
    expect((redacted as { event: WeirEvent }).event).toBe(one); // nothing was copied
  });
});

test('the same event always becomes the same, and what was redacted stays as it is', () => {
  const dirty = { headers: { authorization: 'Bearer hidden', ip: '192.0.2.7' }, url: 'https://a:b@c/?sig=d&token=e' };
  const once = redact(event(dirty));
  expect(redact(event(structuredClone(dirty)))).toEqual(once);
  const { event: first } = once as { event: WeirEvent };
  const again = redact(first);
  expect((again as { event: WeirEvent }).event).toBe(first);
  expect(dirty.headers.authorization).toBe('Bearer hidden'); // what was given is not changed
});

test('names of the prototype pollute nothing and are looked into', () => {
  const data = JSON.parse('{"__proto__":{"polluted":1,"token":"hidden"},"constructor":{"token":"hidden"}}') as object;
  expect(JSON.stringify(dataOf(data))).toBe(
    '{"__proto__":{"polluted":1,"token":"[redacted]"},"constructor":{"token":"[redacted]"}}',
  );
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('credentials at every one of the deepest levels that are allowed are all taken out', () => {
  let data: Record<string, unknown> = { token: 'hidden' };
  for (let level = 2; level < limits.depth; level += 1) data = { token: 'hidden', data, url: 'https://a:hidden@b' };
  const checked = checkEvent(event(data));
  const redacted = checked.ok ? redact(checked.event) : checked;
  expect(redacted.ok).toBe(true);
  const text = encodeEvent((redacted as { event: WeirEvent }).event).toString();
  expect(text).not.toContain('hidden');
  expect(text.match(/\[redacted\]/g)).toHaveLength(2 * (limits.depth - 2) + 1);
});
