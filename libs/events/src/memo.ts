/** Longer texts are not remembered: nobody is to fill the memory with a few thousand of them. */
const LONGEST = 1024;

/**
 * Remembers what a pure function said of a text, for the few thousand texts that come again and again (domains,
 * platforms, days). Bounded: when `limit` is reached, everything is forgotten and learned anew.
 */
export function memo<T>(of: (text: string) => T, limit = 4096): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined || known.has(text)) return found as T;
    const value = of(text);
    if (text.length > LONGEST) return value;
    if (known.size >= limit) known.clear();
    known.set(text, value);
    return value;
  };
}
