import { createLru, type Lru } from '../lru';
import type { Soon } from '../soon';
import type { Upstream } from '../answer/upstream';
import type { Clock } from './clock';
import type { Answered, ManifestRequest } from './request';

/** What an upstream has just answered, for all who ask the same within moments: many machines pull one image. */
export interface RecentAnswers {
  /** The answer to this request, or what `ask` finds out; one question for all who ask at the same time. */
  of(request: ManifestRequest, ask: () => Promise<Answered | undefined>): Soon<Answered | undefined>;
}

/** A tag may be moved at any time. */
const TAG_MS = 2_000;
/** What a digest names never changes, but it may be deleted. */
const DIGEST_MS = 60_000;
/** Of one upstream. */
const MAX_ANSWERS = 5_000;
/** Clients of today send some 600 characters: what is longer is not for remembering. */
const MAX_ACCEPT = 2_000;

interface Recent {
  answer: Answered;
  until: number;
}

export function createRecentAnswers(clock: Pick<Clock, 'now'>): RecentAnswers {
  const recent = new WeakMap<Upstream, Lru<Recent>>();
  const asking = new Map<string, Promise<Answered | undefined>>();

  function memoryOf(upstream: Upstream): Lru<Recent> {
    const known = recent.get(upstream);
    if (known !== undefined) return known;
    const made = createLru<Recent>(MAX_ANSWERS);
    recent.set(upstream, made);
    return made;
  }

  async function askOnce(key: string, request: ManifestRequest, ask: () => Promise<Answered | undefined>) {
    try {
      const until = clock.now() + (request.reference.tag === undefined ? DIGEST_MS : TAG_MS);
      const answer = await ask();
      // An upstream that does not answer does not answer others either, whatever it did before.
      if (answer === undefined) recent.delete(request.upstream);
      // Only what is there: what was missing may be there now. No bodies, for they are large.
      else if (answer.status === 200 && answer.digest !== undefined && answer.body === undefined)
        memoryOf(request.upstream).set(key, { answer, until });
      return answer;
    } finally {
      asking.delete(key);
    }
  }

  return {
    of(request, ask) {
      const { upstream, name, reference, accept, ifNoneMatch } = request;
      if (ifNoneMatch !== undefined || (accept?.length ?? 0) > MAX_ACCEPT) return ask();
      const key = `${upstream.name} ${name} ${reference.tag ?? reference.digest} ${accept}`;
      const known = memoryOf(upstream).get(key);
      if (known !== undefined && clock.now() < known.until) return known.answer;
      const running = asking.get(key) ?? askOnce(key, request, ask);
      asking.set(key, running);
      return running;
    },
  };
}
