/**
 * Patterns of rules. `*` stands for any text, in an image pattern within one component; `**` as a whole component
 * stands for any number of components: `library/*`, `team/**`, `**`. No regular expressions: matching is quadratic at
 * worst, whatever the pattern.
 */
export type Matcher = (text: string) => boolean;

/** Matches an image name, component by component. */
export function imageMatcher(pattern: string): Matcher {
  if (pattern === '**') return () => true;
  const components = pattern.split('/');
  return (name) => wildcard(components, name.split('/'), '**', textMatch);
}

/** Matches any text: a tag, a label's value. */
export function textMatcher(pattern: string): Matcher {
  return (text) => textMatch(pattern, text);
}

function textMatch(pattern: string, text: string): boolean {
  return wildcard([...pattern], [...text], '*', (a, b) => a === b);
}

/** The usual greedy match: on a mismatch, the last star takes one more item. */
function wildcard(
  pattern: readonly string[],
  items: readonly string[],
  star: string,
  same: (pattern: string, item: string) => boolean,
): boolean {
  let p = 0;
  let i = 0;
  let lastStar = -1;
  let retryAt = 0;
  while (i < items.length) {
    const wanted = pattern[p];
    if (wanted === star) {
      lastStar = p++;
      retryAt = i;
    } else if (wanted !== undefined && same(wanted, items[i] ?? '')) {
      p += 1;
      i += 1;
    } else if (lastStar >= 0) {
      p = lastStar + 1;
      i = ++retryAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === star) p += 1;
  return p === pattern.length;
}
