import type { Mutation } from '.';

/** An emergency API that says 202 when it has the event in memory. */
export const answerBeforeSync: Mutation = {
  name: 'answer-before-sync',
  about: 'ingest answers 202 before the event is on its disk',
  file: 'libs/bus/src/spool.ts',
  find: 'waiting.push({ payload, settle });',
  replace: 'settle(undefined), waiting.push({ payload, settle: () => {} });',
  app: 'ingest',
  case: 'F48',
};
