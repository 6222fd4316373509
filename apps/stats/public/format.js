/** How numbers, times and names are written. All times are UTC. */

const count = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });
const BYTES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const NO_BREAK = ' ';

/** A number as exactly as it is known: `1,234,567`, `4.2 GB`, `3 m 20 s`. */
export function formatValue(value, unit) {
  if (unit === 'bytes') return formatBytes(value);
  if (unit === 'ms') return formatDuration(value);
  return count.format(value);
}

/** A number for an axis, in a few characters. */
export function formatShort(value, unit) {
  if (unit === 'bytes') return formatBytes(value);
  if (unit === 'ms') return formatDuration(value);
  return compact.format(value);
}

function formatBytes(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(Math.abs(bytes), 1)) / 3), BYTES.length - 1);
  const value = bytes / 1000 ** power;
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${NO_BREAK}${BYTES[power]}`;
}

export function formatDuration(ms) {
  const part = (value, unit) => `${value}${NO_BREAK}${unit}`;
  if (ms < 1000) return part(Math.round(ms), 'ms');
  const seconds = ms / 1000;
  if (seconds < 60) return part(seconds.toFixed(seconds < 10 ? 1 : 0), 's');
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ];
  const at = units.findIndex(([, length]) => seconds >= length);
  const [[unit, length], [smaller, smallerLength]] = units.slice(at, at + 2);
  const rest = Math.floor((seconds % length) / smallerLength);
  const whole = part(count.format(Math.floor(seconds / length)), unit);
  return rest === 0 ? whole : `${whole}${NO_BREAK}${part(rest, smaller)}`;
}

export function formatShare(part, whole) {
  return whole > 0 ? percent.format(part / whole) : '–';
}

/** `▲ 12 %` with words for those who do not see the arrow; undefined where there is nothing to compare with. */
export function formatChange(change) {
  if (change === null || change === undefined) return undefined;
  const amount = percent.format(Math.abs(change));
  if (amount === percent.format(0)) return { arrow: '=', text: 'unchanged', words: 'unchanged' };
  const up = change > 0;
  return { arrow: up ? '▲' : '▼', text: amount, words: `${up ? 'up' : 'down'} ${amount}` };
}

const utc = (options) => new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options });
const day = utc({ day: 'numeric', month: 'short' });
const dayAndYear = utc({ day: 'numeric', month: 'short', year: 'numeric' });
const weekday = utc({ weekday: 'short', day: 'numeric', month: 'short' });
const minute = utc({ hour: '2-digit', minute: '2-digit' });
const second = utc({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
const month = utc({ month: 'long', year: 'numeric' });

export const formatDay = (time) => dayAndYear.format(new Date(time));
export const formatSecond = (time) => second.format(new Date(time));
export const formatMinute = (time) => `${day.format(new Date(time))} ${minute.format(new Date(time))}`;

/** `3 Nov 10:12 – 10:40`: the day once where it is the same one. */
export function formatSpan(from, to) {
  const [a, b] = [new Date(from), new Date(to)];
  const sameDay = day.format(a) === day.format(b);
  return `${formatMinute(a)} – ${sameDay ? minute.format(b) : formatMinute(b)}`;
}

/** An interval of a time series, by its start. */
export function formatInterval(time, interval) {
  const at = new Date(time);
  if (interval === 'hour') return `${weekday.format(at)} ${minute.format(at)}`;
  if (interval === 'month') return month.format(at);
  if (interval === 'year') return String(at.getUTCFullYear());
  if (interval === 'day') return weekday.format(at);
  return `${interval === 'week' ? 'Week' : interval} from ${day.format(at)}`;
}

const countries = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });

/** What a value of a dimension is called: countries by their names, all else as it came. */
export function formatName(dimension, value) {
  if (value === null) return dimension === 'organization' ? 'anonymous' : 'not known';
  if (dimension !== 'country') return value;
  try {
    return countries.of(value) ?? value;
  } catch {
    return value; // no country's code
  }
}

/** `clientVersion` → `client version`. */
export function formatDimension(dimension) {
  return dimension.replace(/([a-z])([A-Z])/g, (_, before, letter) => `${before} ${letter.toLowerCase()}`);
}

export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
