import type { Mutation } from '.';

/** A counter that believes every delivery to be a new event. */
export const noDedupe: Mutation = {
  name: 'no-dedupe',
  about: 'the counting script counts an event as often as it comes',
  file: 'libs/usage/src/counter.lua.ts',
  find: 'if found == 1 then table.insert(known',
  replace: 'if false then table.insert(known',
  app: 'redis-worker',
  case: 'F31',
};
