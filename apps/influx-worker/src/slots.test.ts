import { place } from './slots';
import type { Stored, Wanted } from './slots';

const timeMs = Date.parse('2026-11-23T06:54:00.123Z');
const event = (identity: string, preferredSlot: number, measurement = 'pull'): Wanted => ({
  measurement,
  timeMs,
  identity,
  preferredSlot,
});
const holding = (slots: [identity: string, slot: number][]): Stored =>
  new Map([['pull', new Map([[timeMs, new Map(slots)]])]]);

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

test('what it gives out is known from then on, and what has no place is not', () => {
  const stored = holding(Array.from({ length: 999_998 }, (_, slot): [string, number] => [`e${slot}`, slot]));
  const later = { ...event('d', 7), timeMs: timeMs + 1 };
  expect(place([event('a', 7), event('c', 7), later, event('b', 7)], stored)).toEqual([999_998, 'full', 7, 999_999]);
  expect(place([event('a', 7), event('b', 7), event('c', 7), later], stored)).toEqual([
    'stored',
    'stored',
    'full',
    'stored',
  ]);
});
