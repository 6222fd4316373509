import { createFirstTime } from './first-time';

const at = (minute: number) => new Date(Date.UTC(2026, 10, 23, 23, minute));

test('an event without a time keeps the one it was first given, as long as it is remembered', () => {
  const firstTime = createFirstTime(2);
  const event = { source: '/a', id: '1' };
  expect(firstTime(event, at(58))).toBe('2026-11-23T23:58:00.000Z');
  expect(firstTime(event, at(62))).toBe('2026-11-23T23:58:00.000Z');
  expect(firstTime({ source: '/b', id: '1' }, at(59))).toBe('2026-11-23T23:59:00.000Z');
  firstTime({ source: '/c', id: '1' }, at(59));
  expect(firstTime(event, at(62))).toBe('2026-11-24T00:02:00.000Z');
});

test('a UUIDv7 carries its own time, so that every instance gives the same one', () => {
  const id = '01938b5e-8c00-7abc-8def-0123456789ab';
  const time = new Date(0x01938b5e8c00).toISOString();
  expect(createFirstTime()({ source: '/a', id }, at(0))).toBe(time);
  expect(createFirstTime()({ source: '/a', id }, at(59))).toBe(time);
});

test('a UUIDv7 of the far future or of 1970 is not believed', () => {
  for (const id of ['ff938b5e-8c00-7abc-8def-0123456789ab', '00000000-0001-7abc-8def-0123456789ab']) {
    expect(createFirstTime()({ source: '/a', id }, at(0))).toBe(at(0).toISOString());
  }
});
