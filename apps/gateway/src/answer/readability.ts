import { createExpiring } from '../lru';

/**
 * Whether a repository can be read without credentials, as far as the gateway has seen. A client is only redirected to
 * content that it can read there as it stands: one that has to log in at the upstream first comes back and asks again,
 * and its pull would be counted twice.
 */
export interface Readability {
  of(upstream: string, name: string): 'open' | 'closed' | undefined;
  /** Takes note of the status that a request without credentials was answered with. */
  note(upstream: string, name: string, status: number): void;
  /** The upstream gave no answer: what is known of it counts no more. */
  forget(upstream: string, name: string): void;
  /** Upstreams may have changed: nothing that is known counts any more. */
  forgetAll(): void;
}

const MAX_REPOSITORIES = 10_000;
const TTL_MS = 10 * 60_000;

export function createReadability(): Readability {
  const nothing = () => createExpiring<'open' | 'closed'>(MAX_REPOSITORIES, TTL_MS);
  let seen = nothing();
  const key = (upstream: string, name: string) => `${upstream} ${name}`;
  return {
    of: (upstream, name) => seen.get(key(upstream, name)),
    note(upstream, name, status) {
      if (status === 401 || status === 403) seen.set(key(upstream, name), 'closed');
      else if ((status >= 200 && status < 300) || status === 304) seen.set(key(upstream, name), 'open');
    },
    forget: (upstream, name) => seen.delete(key(upstream, name)),
    forgetAll: () => void (seen = nothing()),
  };
}
