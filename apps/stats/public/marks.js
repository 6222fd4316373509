import { formatDay } from './format.js';

/** What must be known beside a number: a word, and a sentence on it. Health of the flow says more. */
export function marksOf({ gaps = [], state, failures = 0, since, from }) {
  return [
    gaps.length > 0 && ['incomplete', 'There are gaps in this range: see Health of the flow'],
    state === 'filling' && ['filling', 'Still being filled from the history: the numbers will grow'],
    state === 'live' &&
      Date.parse(since) > Date.parse(from) && [`since ${formatDay(since)}`, 'It says nothing about what was before'],
    failures > 0 && ['failures', 'Some events could not be counted: see Health of the flow'],
  ].filter(Boolean);
}
