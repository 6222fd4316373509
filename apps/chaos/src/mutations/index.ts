import { join } from 'node:path';
import { ackBeforeCommit } from './ack-before-commit';
import { answerBeforeSync } from './answer-before-sync';
import { noDedupe } from './no-dedupe';

/** A way to break Weir on purpose: the oracle must notice. */
export interface Mutation {
  name: string;
  /** What the broken Weir does. */
  about: string;
  /** The TypeScript source that is changed, from the root of the repository. */
  file: string;
  /** Must be there exactly once: short, so that it survives what happens around it. */
  find: string;
  replace: string;
  /** The app that runs with it, from source; the others run as they are. */
  app: string;
  /** The case that must end with a breach. */
  case: string;
}

export const mutations: readonly Mutation[] = [ackBeforeCommit, noDedupe, answerBeforeSync];

/** The way to run apps where one of them has been broken; for `RunnerOptions.argsOf` and `environment`. */
export function brokenBy(mutation: Mutation, root: string) {
  const { file, find, replace } = mutation;
  return {
    argsOf: (app: string): readonly string[] =>
      app === mutation.app
        ? [
            '--conditions=@weir/source',
            '--require',
            join(root, 'apps/chaos/src/mutations/hook.js'),
            join(root, 'apps', app, 'src/main.ts'),
          ]
        : [join(root, 'apps', app, 'dist/main.js')],
    environment: { CHAOS_MUTATION: JSON.stringify({ file, find, replace }) },
  };
}
