import pino from 'pino';
import { randomBytes } from 'node:crypto';
import { createPseudonyms } from './pseudonyms';
import { createSecrets } from './secrets';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MIDNIGHT = Date.UTC(2026, 10, 28);
const BEFORE = new Date(MIDNIGHT - 100);

/** Jest's clock stands in for the machine's: days have to pass. */
beforeEach(() => void jest.useFakeTimers({ now: BEFORE }));
afterEach(() => void jest.useRealTimers());

/** Pseudonyms, and every secret that was ever made for them, in the order of their making. */
function start() {
  const made: Buffer[] = [];
  const random = (bytes: number) => {
    const secret = randomBytes(bytes);
    made.push(secret);
    return secret;
  };
  const secrets = createSecrets({ unshared: { set: () => {} }, log: pino({ enabled: false }), random });
  return { made, secrets, ...createPseudonyms(secrets) };
}
const isZero = (secret: Buffer | undefined) => secret?.length === 32 && secret.every((byte) => byte === 0);

describe('a pseudonym', () => {
  test('is 128 bits for the day and 24 bits for the month, the same as long as the secrets are', async () => {
    const { of } = start();
    const first = await of('192.0.2.7', BEFORE);
    expect(first).toEqual({
      day: expect.stringMatching(/^[\w-]{22}$/) as string,
      month: expect.stringMatching(/^[0-9a-f]{6}$/) as string,
    });
    expect(Buffer.from(first?.day ?? '', 'base64url')).toHaveLength(16);
    expect(await of('192.0.2.7', new Date(MIDNIGHT - 23 * HOUR))).toEqual(first);
  });

  test('of another address, or of another process, is another', async () => {
    const { of } = start();
    const one = await of('192.0.2.7', BEFORE);
    const two = await of('192.0.2.8', BEFORE);
    const elsewhere = await start().of('192.0.2.7', BEFORE);
    expect(new Set([one?.day, two?.day, elsewhere?.day]).size).toBe(3);
    expect(new Set([one?.month, two?.month, elsewhere?.month]).size).toBe(3);
  });

  test('is no function of the address alone', async () => {
    const { of } = start();
    const seen = await of('192.0.2.7', BEFORE);
    expect(JSON.stringify(seen)).not.toContain('192.0.2.7');
    expect(await start().of('192.0.2.7', BEFORE)).not.toEqual(seen);
  });

  test('of the month is shared by about 256 of all addresses: among 40,000, some 48 pairs', async () => {
    const { of } = start();
    const values = new Set<string | undefined>();
    for (let n = 0; n < 40_000; n += 1) values.add((await of(`10.1.${n >> 8}.${n & 255}`, BEFORE))?.month);
    expect(40_000 - values.size).toBeGreaterThan(10);
    expect(40_000 - values.size).toBeLessThan(110);
  });
});

describe('when the day ends', () => {
  test('the same address has another pseudonym for the day, and the same for the month', async () => {
    const { of } = start();
    const yesterday = await of('192.0.2.7', BEFORE);
    jest.setSystemTime(MIDNIGHT + 1_000);
    const today = await of('192.0.2.7', new Date(MIDNIGHT + 1_000));
    expect(today?.day).not.toBe(yesterday?.day);
    expect(today?.month).toBe(yesterday?.month);
  });

  test('a request that arrived before it and is counted after it belongs to yesterday', async () => {
    const { of } = start();
    const before = await of('192.0.2.7', BEFORE);
    jest.setSystemTime(MIDNIGHT + 1_000);
    expect((await of('192.0.2.8', new Date(MIDNIGHT)))?.day).toBeDefined();
    expect(await of('192.0.2.7', BEFORE)).toEqual(before);
  });

  test('its secret is overwritten and dropped ten minutes later, with no request to remind it', async () => {
    const { of, made } = start();
    const yesterday = await of('192.0.2.7', BEFORE);
    const [secret] = made;
    jest.advanceTimersByTime(100 + 10 * MINUTE - 1);
    expect(isZero(secret)).toBe(false);
    expect(await of('192.0.2.7', BEFORE)).toEqual(yesterday);
    jest.advanceTimersByTime(1);
    expect(isZero(secret)).toBe(true);
    expect(await of('192.0.2.7', BEFORE)).toBeUndefined();
    expect(made).toHaveLength(2);
  });

  test('there is no way back: a clock that is put back gets a new secret for the same day', async () => {
    const { of } = start();
    const first = await of('192.0.2.7', BEFORE);
    jest.advanceTimersByTime(11 * MINUTE);
    jest.setSystemTime(BEFORE);
    expect((await of('192.0.2.7', BEFORE))?.day).not.toBe(first?.day);
  });
});

test('the secret of a month lives as long as the month, longer than any timer, and ends with it', async () => {
  const begin = Date.UTC(2026, 11, 1);
  jest.setSystemTime(begin);
  const { of, made } = start();
  const first = await of('192.0.2.7', new Date(begin));
  const [, month] = made;
  jest.advanceTimersByTime(30 * 24 * HOUR);
  expect((await of('192.0.2.7', new Date()))?.month).toBe(first?.month);
  jest.advanceTimersByTime(24 * HOUR + 10 * MINUTE);
  expect(isZero(month)).toBe(true);
  expect((await of('192.0.2.7', new Date()))?.month).not.toBe(first?.month);
});

test('no more than two days and two months are ever held', async () => {
  const { of, made } = start();
  for (let hour = 0; hour < 90 * 24; hour += 1) {
    await of('192.0.2.7', new Date());
    jest.advanceTimersByTime(HOUR);
    expect(made.filter((secret) => !isZero(secret)).length).toBeLessThanOrEqual(4);
  }
  expect(made.length).toBeGreaterThan(90);
});

test('a process that ends destroys them, and makes no more', async () => {
  const { of, made, secrets } = start();
  await of('192.0.2.7', BEFORE);
  secrets.close();
  expect(made.map(isZero)).toEqual([true, true]);
  expect(await of('192.0.2.7', BEFORE)).toBeUndefined();
  expect(made).toHaveLength(2);
});
