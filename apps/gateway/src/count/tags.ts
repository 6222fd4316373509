import { createExpiring } from '../lru';

/** By which tag a client was led to a digest: one that asks for a tag and then for what is behind it means the tag. */
export interface Tags {
  note(from: string, digest: string, tag: string): void;
  /** The tag that led to this digest, or to an index that it is a child of. */
  of(from: string, digest: string): string | undefined;
}

/** The steps of a pull follow each other within seconds; a slow client may take minutes. */
const TTL_MS = 10 * 60_000;
const MAX_SOURCES = 5_000;
const TAGS_OF_ONE = 8;

export function createTags(isChild: (index: string, digest: string) => boolean): Tags {
  const steps = createExpiring<readonly { digest: string; tag: string }[]>(MAX_SOURCES, TTL_MS);
  return {
    note(from, digest, tag) {
      const others = (steps.get(from) ?? []).filter((step) => step.digest !== digest);
      steps.set(from, [{ digest, tag }, ...others].slice(0, TAGS_OF_ONE));
    },
    of: (from, digest) => steps.get(from)?.find((step) => step.digest === digest || isChild(step.digest, digest))?.tag,
  };
}
