import { seriesOf } from './point';
import type { Series, TagName } from './point';

/** What takes the place of a value that would be one too many. */
export const OVERFLOW = 'other';

export interface GuardOptions {
  /** The most distinct values of any one tag, beside {@link OVERFLOW}. */
  valuesPerTag: number;
  /**
   * The most series (distinct sets of tags) in all; beyond, an event's open tags all become {@link OVERFLOW}. At four
   * fifths of it country and cloud do, so that they do not take organizations and clients with them.
   */
  series: number;
}

/** Decides which values of tags, and which combinations of them, InfluxDB gets to see. */
export interface Guard {
  /** The series in line protocol, with every value that is one too many replaced by {@link OVERFLOW}. */
  series(series: Series): string;
  /** Takes over values that the store already holds, so that a restarted worker decides as it did before. */
  remember(tag: string, values: Iterable<string>): void;
  /** The same for series, as `SHOW SERIES` and line protocol spell them. */
  rememberSeries(series: Iterable<string>): void;
  /** How many distinct values of each tag are known, and how many series. */
  counts(): { values: Record<string, number>; series: number };
}

/**
 * Bounds the cardinality of the store: the classic outage of InfluxDB is a tag that anyone can fill (S39; influxdb#7151,
 * and `max-series-per-database`, behind which nothing is written any more). First come, first served: values that were
 * admitted stay admitted, later ones are counted together. Decisions last as long as the process; `remember` carries
 * them over from the store. Several instances may each admit `valuesPerTag` values of their own before they restart.
 */
export function createGuard({ valuesPerTag, series: seriesLimit }: GuardOptions): Guard {
  const known = new Map<string, Set<string>>();
  const series = new Set<string>();
  /** What is decided stays so, for what is admitted stays, and what was one too many is so for ever. */
  const decided = new WeakMap<Series, string>();

  const valuesOf = (tag: string): Set<string> => {
    let values = known.get(tag);
    if (!values) known.set(tag, (values = new Set()));
    return values;
  };

  const admit = (tag: TagName, value: string): string => {
    const values = valuesOf(tag);
    if (values.has(value) || value === OVERFLOW) return value;
    if (values.size >= valuesPerTag) return OVERFLOW;
    values.add(value);
    return value;
  };

  const admitSeries = (text: string, limit: number): boolean => {
    if (series.has(text)) return true;
    if (series.size >= limit) return false;
    series.add(text);
    return true;
  };

  const decide = ({ measurement, tags }: Series): string => {
    const admitted = tags.map(([tag, value]) => [tag, admit(tag, value)] as const);
    const text = seriesOf(measurement, admitted);
    if (admitSeries(text, admitted.some(([tag]) => PLACE.has(tag)) ? seriesLimit * PLACE_SHARE : seriesLimit)) {
      return text;
    }
    const placeless = seriesWithout((tag) => PLACE.has(tag), measurement, admitted);
    if (admitSeries(placeless, seriesLimit)) return placeless;
    return seriesWithout((tag) => !CLOSED.has(tag), measurement, admitted);
  };

  return {
    series(asked) {
      const text = decided.get(asked) ?? decide(asked);
      decided.set(asked, text);
      return text;
    },
    remember(tag, values) {
      const set = valuesOf(tag);
      for (const value of values) if (value !== OVERFLOW) set.add(value);
    },
    rememberSeries(found) {
      for (const text of found) series.add(text);
    },
    counts: () => ({
      values: Object.fromEntries([...known].map(([tag, values]) => [tag, values.size])),
      series: series.size,
    }),
  };
}

/** Tags whose values come from short lists of our own: they cannot run away and stay what they are. */
const CLOSED: ReadonlySet<TagName> = new Set<TagName>(['architecture', 'fusion', 'os', 'outcome', 'pattern']);

/** Tags that multiply the series of everything else and matter least: they yield first. */
const PLACE: ReadonlySet<TagName> = new Set<TagName>(['country', 'cloud']);
/** The share of all series that may tell places apart; the rest is kept for those that do not. */
const PLACE_SHARE = 0.8;

/** The series with these tags in one heap. */
function seriesWithout(isOut: (tag: TagName) => boolean, measurement: string, tags: Series['tags']): string {
  return seriesOf(
    measurement,
    tags.map(([tag, value]) => [tag, isOut(tag) ? OVERFLOW : value] as const),
  );
}
