import { capitalize, formatDimension } from '../format.js';
import { createBreakdown } from './breakdown.js';

/** Dimensions that are looked at together, in the order in which they stand on the page. */
const PANELS = [
  ['Organizations', [['Organization', ['organization']]]],
  ['Images', [['Image', ['repository']], ['With tag', ['repository', 'tag']]]],
  ['Clients', [['Client', ['client']], ['With version', ['client', 'clientVersion']]]],
  ['Architectures', [['Architecture', ['architecture']], ['Platform', ['platform']]]],
  ['Places', [['Country', ['country']], ['Network', ['network']]]],
  ['Kinds', [['Kind', ['kind']], ['Rhythm', ['pattern']], ['Fusion', ['fusion']]]],
]; // prettier-ignore
/** These have a place of their own, or stand beside another one above. */
const ELSEWHERE = ['outcome', 'duration', ...PANELS.flatMap(([, views]) => views.flatMap(([, by]) => by))];

/** The tables for a statistic: what it can be told apart by, whatever that is. A panel once made stays the same one. */
export function createBreakdowns() {
  const made = new Map();
  return ({ description: { dimensions, groups } }) => {
    const kept = ([, by]) => groups.some((group) => by.every((dimension) => group.includes(dimension)));
    const known = PANELS.map(([title, views]) => [title, views.filter(kept)]);
    const others = Object.keys(dimensions)
      .filter((name) => !ELSEWHERE.includes(name))
      .map((name) => [capitalize(formatDimension(name)), [['', [name]]].filter(kept)]);
    return [...known, ...others].filter(([, views]) => views.length > 0).map(([title, views]) => {
      const key = JSON.stringify([title, views]);
      const panel = made.get(key) ?? createBreakdown({ title, views: views.map(([label, by]) => ({ label, by })) });
      made.set(key, panel);
      return panel;
    }); // prettier-ignore
  };
}
