import { createLru } from './lru';

/** How often one source may ask (S15): an address in the form of {@link AddressOf}, which is what one subscriber has. */
export interface RateLimit {
  /** Takes one request into account: the seconds that it has to wait, or undefined when it may go on. */
  wait(source: string): number | undefined;
}

/** Sources remembered; who is forgotten starts with a full bucket. An entry is about 150 bytes. */
const MAX_SOURCES = 50_000;

/**
 * A token bucket for each source: `perSecond` requests on average, `burst` of them at once. 0 a second sets no limit.
 */
export function createRateLimit({
  perSecond,
  burst,
  now = () => performance.now(),
}: {
  perSecond: number;
  burst: number;
  now?: () => number;
}): RateLimit {
  const buckets = createLru<{ tokens: number; at: number }>(MAX_SOURCES);

  return {
    wait(source) {
      if (perSecond === 0) return undefined;
      const at = now();
      const known = buckets.get(source);
      const bucket = known ?? { tokens: burst, at };
      if (known === undefined) buckets.set(source, bucket);
      const tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) / 1000) * perSecond);
      const goesOn = tokens >= 1;
      bucket.tokens = goesOn ? tokens - 1 : tokens;
      bucket.at = at;
      return goesOn ? undefined : Math.max(1, Math.ceil((1 - tokens) / perSecond));
    },
  };
}
