import { createLru } from '../lru';
import type { Soon } from '../soon';
import type { Clock } from './clock';
import type { Answered, ManifestRequest } from './request';

/** What an upstream has just answered, for all who ask the same within moments: many machines pull one image. */
export interface RecentAnswers {
  /** The answer to this request, or what `ask` finds out; one question for all who ask at the same time. */
  of(request: ManifestRequest, ask: () => Promise<Answered | undefined>): Soon<Answered | undefined>;
}

/** A tag may be moved at any time. */
const TAG_MS = 1_000;
/** What a digest names never changes, but it may be deleted, and the upstream may be gone. */
const DIGEST_MS = 10_000;
const MAX_ANSWERS = 5_000;

export function createRecentAnswers(clock: Clock): RecentAnswers {
  const recent = createLru<{ answer: Answered; until: number }>(MAX_ANSWERS);
  const asking = new Map<string, Promise<Answered | undefined>>();

  async function askOnce(key: string, lasts: number, ask: () => Promise<Answered | undefined>) {
    try {
      const until = clock.now() + lasts;
      const answer = await ask();
      // Only what is there: what was missing may be there now. No bodies, for they are large.
      if (answer?.status === 200 && answer.digest !== undefined && answer.body === undefined)
        recent.set(key, { answer, until });
      return answer;
    } finally {
      asking.delete(key);
    }
  }

  return {
    of(request, ask) {
      const { upstream, name, reference, accept, ifNoneMatch } = request;
      if (ifNoneMatch !== undefined) return ask();
      const key = `${upstream.name} ${name} ${reference.tag ?? reference.digest} ${accept}`;
      const known = recent.get(key);
      if (known !== undefined && clock.now() < known.until) return known.answer;
      const running = asking.get(key) ?? askOnce(key, reference.tag === undefined ? DIGEST_MS : TAG_MS, ask);
      asking.set(key, running);
      return running;
    },
  };
}
