import { millisecondsOf, place, remember } from './slots';
import type { Stored, Wanted } from './slots';

const timeMs = Date.parse('2026-11-23T06:54:00.123Z');
const event = (identity: string, preferredSlot: number, measurement = 'pull'): Wanted => ({
  measurement,
  timeMs,
  identity,
  preferredSlot,
});
const holding = (slots: [identity: string, slot: number][]): Stored =>
  new Map([
    [
      'pull',
      new Map([[timeMs, { identities: new Set(slots.map(([id]) => id)), slots: new Set(slots.map(([, at]) => at)) }]]),
    ],
  ]);

test('an event gets the slot that it prefers when nobody has it', () => {
  expect(place([event('a', 7), event('b', 8)], new Map())).toEqual([7, 8]);
});

test('an event that the store has is left out, wherever in its millisecond it was put', () => {
  expect(
    place(
      [event('a', 7), event('b', 7)],
      holding([
        ['x', 7],
        ['a', 8],
      ]),
    ),
  ).toEqual(['stored', 9]);
});

test('of two deliveries of one event in one batch, one is placed', () => {
  expect(place([event('a', 7), event('a', 7), event('a', 7)], new Map())).toEqual([7, 'stored', 'stored']);
});

test('of several that prefer one slot the smallest identity has it, whatever their order', () => {
  expect(place([event('c', 7), event('a', 7), event('b', 7), event('d', 8)], new Map())).toEqual([10, 7, 9, 8]);
  expect(place([event('d', 8), event('b', 7), event('a', 7), event('c', 7)], new Map())).toEqual([8, 9, 7, 10]);
});

test('the slots of a millisecond are a ring', () => {
  expect(
    place(
      [event('a', 999_999)],
      holding([
        ['x', 999_999],
        ['y', 0],
      ]),
    ),
  ).toEqual([1]);
});

test('measurements and milliseconds have slots of their own', () => {
  const batch = [event('a', 7), event('b', 7, 'check'), { ...event('c', 7), timeMs: timeMs + 1 }];
  expect(place(batch, new Map())).toEqual([7, 7, 7]);
});

test('the event after the millionth of a millisecond has no place', () => {
  const all = Array.from({ length: 999_999 }, (_, slot): [string, number] => [`e${slot}`, slot]);
  expect(place([event('a', 5), event('b', 6)], holding(all))).toEqual([999_999, 'full']);
});

test('what it gave out before the store was asked can be added to the answer', () => {
  const batch = [event('a', 7), event('b', 7), { ...event('c', 7), timeMs: timeMs + 1 }];
  const next = [event('b', 7), event('c', 8), event('d', 7)];
  const stored: Stored = new Map();
  remember(stored, batch, place(batch, new Map()), millisecondsOf(next));
  expect(place(next, stored)).toEqual(['stored', 9, 10]);
  expect(stored.get('pull')?.size).toBe(1);
});
