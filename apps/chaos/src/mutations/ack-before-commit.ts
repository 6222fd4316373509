import type { Mutation } from '.';

/** A worker that acknowledges a batch as soon as it has it, not when its store does. */
export const ackBeforeCommit: Mutation = {
  name: 'ack-before-commit',
  about: 'workers acknowledge a batch before their store has it',
  file: 'libs/bus/src/consumer.ts',
  find: 'Promise.all([acknowledged, handled])',
  replace: '(void handled.catch(() => {}), Promise.all([acknowledged]))',
  app: 'mongo-worker',
  case: 'F22',
};
