/** What statscache can answer in, in its order of preference. */
export const MEDIA_TYPES = [
  'application/json',
  'text/json',
  'application/javascript',
  'text/javascript',
  'application/csv',
  'text/csv',
] as const;
export type MediaType = (typeof MEDIA_TYPES)[number];

interface MediaRange {
  /** `text/csv`, with `*` for what may be anything. */
  type: string;
  quality: number;
}

/**
 * The media type that an `Accept` header likes best, of several alike the first in our order (reference usage-metrics
 * 3.4: libraries of Node prefer the client's order). Without a header there is none, as the peer has it.
 */
export function bestMatch(accept: string | undefined): MediaType | undefined {
  const ranges = (accept ?? '').split(',').map(rangeOf);
  let [best, bestQuality]: [MediaType | undefined, number] = [undefined, 0];
  for (const type of MEDIA_TYPES) {
    const quality = qualityOf(type, ranges);
    if (quality > bestQuality) [best, bestQuality] = [type, quality];
  }
  return best;
}

function rangeOf(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return { type, quality: /^(0(\.\d*)?|1(\.0*)?)$/.test(q) ? Number(q) : 0 };
}

/** That of the most specific range which the type is in (RFC 9110, 12.5.1). */
function qualityOf(type: MediaType, ranges: readonly MediaRange[]): number {
  for (const wanted of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const found = ranges.filter((range) => range.type === wanted);
    if (found.length > 0) return Math.max(...found.map(({ quality }) => quality));
  }
  return 0;
}
