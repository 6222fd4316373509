/**
 * What is looked at: the range, the measure and the filters. It stands in the URL and nowhere else, so that it can be
 * sent to somebody and the back button works.
 */

export const RANGES = {
  '24h': { label: '24 h', words: 'the last 24 hours', from: 'now-24h', days: 1 },
  '7d': { label: '7 d', words: 'the last 7 days', from: 'now-7d', days: 7 },
  '30d': { label: '30 d', words: 'the last 30 days', from: 'now-30d', days: 30 },
  '90d': { label: '90 d', words: 'the last 90 days', from: 'now-90d', days: 90 },
  year: { label: 'This year', words: 'this year', from: 'this-year', days: 366 },
};
const DEFAULT = { range: '7d', statistic: 'pulls', measure: 'pulls' };
const OWN = ['range', 'from', 'to', 'statistic', 'measure', 'interval', 'live'];
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const INTERVALS = ['hour', 'day', 'week', 'month'];

/** Reads the query of a URL; what makes no sense counts as absent. All parameters of other names are filters. */
export function readState(search) {
  const parameters = new URLSearchParams(search);
  const [from, to] = [parameters.get('from') ?? '', parameters.get('to') ?? ''];
  const custom = DAY.test(from) && DAY.test(to) && from <= to;
  const range = parameters.get('range');
  const interval = parameters.get('interval');
  return {
    range: custom ? 'custom' : Object.hasOwn(RANGES, range ?? '') ? range : DEFAULT.range,
    ...(custom ? { from, to } : {}),
    statistic: parameters.get('statistic') || DEFAULT.statistic,
    measure: parameters.get('measure') || (parameters.get('statistic') ? undefined : DEFAULT.measure),
    ...(INTERVALS.includes(interval) ? { interval } : {}),
    live: parameters.get('live') !== 'off',
    // Empty: those of which it is not known.
    filters: Object.fromEntries(
      [...parameters]
        .filter(([name]) => !OWN.includes(name))
        .map(([name, value]) => [name, value === '' ? null : value]),
    ),
  };
}

/** The query of the URL that {@link readState} reads as this; what is as it is at first is left out. */
export function writeState(state) {
  const parameters = new URLSearchParams();
  const custom = state.range === 'custom';
  if (custom) parameters.set('from', state.from);
  if (custom) parameters.set('to', state.to);
  if (!custom && state.range !== DEFAULT.range) parameters.set('range', state.range);
  if (state.statistic !== DEFAULT.statistic || (state.measure ?? DEFAULT.measure) !== DEFAULT.measure) {
    parameters.set('statistic', state.statistic);
    if (state.measure) parameters.set('measure', state.measure);
  }
  if (state.interval) parameters.set('interval', state.interval);
  if (!state.live) parameters.set('live', 'off');
  for (const [name, value] of Object.entries(state.filters)) parameters.set(name, value ?? '');
  const search = parameters.toString();
  return search === '' ? '' : `?${search}`;
}

/** The state, kept in the address bar. `changed` is told of it at each change, whoever has made it. */
export function createState(changed) {
  let state = readState(location.search);
  addEventListener('popstate', () => {
    state = readState(location.search);
    changed(state);
  });
  return {
    get: () => state,
    /** Goes to the state with these changes, as to a new page. */
    go(changes) {
      const search = writeState({ ...state, ...changes });
      if (search !== location.search) history.pushState(null, '', `${location.pathname}${search}`);
      state = readState(search);
      changed(state);
    },
  };
}

export function withFilters(state, filters) {
  return { filters: { ...state.filters, ...filters } };
}

export function withoutFilter(state, name) {
  return { filters: Object.fromEntries(Object.entries(state.filters).filter(([each]) => each !== name)) };
}

/** The range in words. */
export function rangeWords(state) {
  if (state.range !== 'custom') return RANGES[state.range].words;
  return state.from === state.to ? state.from : `${state.from} to ${state.to}`;
}

const DAY_MS = 86_400_000;
export const isoDay = (time) => new Date(time).toISOString().slice(0, 'YYYY-MM-DD'.length);

/** The first and the last day of the range, UTC. */
export function daysOf(state, now = Date.now()) {
  if (state.range === 'custom') return { from: state.from, to: state.to };
  const to = isoDay(now);
  if (state.range === 'year') return { from: `${to.slice(0, 4)}-01-01`, to };
  return { from: isoDay(now - RANGES[state.range].days * DAY_MS), to };
}

/** About how many days the range has. */
export function lengthOf(state, now = Date.now()) {
  if (state.range !== 'custom' && state.range !== 'year') return RANGES[state.range].days;
  const { from, to } = daysOf(state, now);
  return (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
}

/** `from` and `to` as the API takes them; the last day of a range of days is one of it. */
export function boundsOf(state) {
  if (state.range !== 'custom') return { from: RANGES[state.range].from, to: 'now' };
  return { from: state.from, to: isoDay(Date.parse(state.to) + DAY_MS) };
}

/** How many days ago the range begins. */
function ageOf(state, now = Date.now()) {
  return (Date.parse(isoDay(now)) - Date.parse(daysOf(state, now).from)) / DAY_MS;
}

/**
 * Which intervals a range can be drawn in: neither too few to see anything nor too many to see it, and kept.
 *
 * @param keepDays the statistic's: how long hours and days are kept
 */
export function intervalsOf(state, keepDays) {
  const days = lengthOf(state);
  return INTERVALS.filter(
    (interval) =>
      ({
        hour: days <= 7 && ageOf(state) < keepDays.hour,
        day: days >= 2 && days <= 400,
        week: days >= 28,
        month: days >= 89,
      })[interval],
  );
}

export function intervalOf(state, keepDays) {
  const possible = intervalsOf(state, keepDays);
  if (possible.includes(state.interval)) return state.interval;
  return lengthOf(state) > 120 ? 'week' : (possible[0] ?? 'day');
}

/** What the range is compared with; undefined where the time before is kept no longer. */
export function compareOf(state, keepDays, interval) {
  const kept = interval === 'hour' ? keepDays.hour : keepDays.day;
  return ageOf(state) + lengthOf(state) < kept ? 'previous' : undefined;
}
