import { kindOf } from '@weir/events';
import { entry } from '../entry';
import type { Cube, Increment } from '../statistic';

/** How much there is of everything. */
export const volume: Cube = {
  name: 'volume',
  summary: 'Events by type and category.',
  description:
    'One for every event of any type, known or not; only what Weir sends to itself is not in it. The category of one of ' +
    "Weir's own types is the word behind `io.weir.` (`build` for `io.weir.build.finished`), that of another one its " +
    'first two words (`com.example` for `com.example.orders.paid`).',
  measures: { events: { summary: 'Events.' } },
  dimensions: {
    type: 'CloudEvents type: `io.weir.pull`.',
    category: 'What the type begins with: `pull`, `com.example`.',
  },
  groups: [['type'], ['category']],
  latest: [['type']],
  increments({ type }) {
    if (known.size > REMEMBERED) known.clear();
    return entry(known, type, () => incrementsOf(type));
  },
};

/** Remembered types, which publishers make up; when there are more, all are made again. */
const REMEMBERED = 1000;
const known = new Map<string, readonly Increment[]>();

function incrementsOf(type: string): readonly Increment[] {
  if (kindOf(type)?.reserved === true) return [];
  return [{ measures: { events: 1 }, dimensions: { type, category: categoryOf(type) } }];
}

function categoryOf(type: string): string {
  const words = type.split('.', 3);
  return words[0] === 'io' && words[1] === 'weir' && words[2] !== undefined ? words[2] : words.slice(0, 2).join('.');
}
