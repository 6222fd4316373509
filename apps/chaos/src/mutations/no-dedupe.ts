import type { Mutation } from '.';

/** A counter that believes every delivery to be a new event. */
export const noDedupe: Mutation = {
  name: 'no-dedupe',
  about: 'the counting script counts an event as often as it comes',
  file: 'libs/usage/src/counter.lua.ts',
  find: 'local new = remember(',
  replace: 'local new = (function(set, events) remember(set, events) return events end)(',
  app: 'redis-worker',
  case: 'F31',
};
