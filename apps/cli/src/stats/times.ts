import { clean } from '../io';

/** `2026-11-28 13:00` for a time of the API; what is none is shown as it came. */
export function minute(time: string): string {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) return clean(time, 40);
  return new Date(ms).toISOString().slice(0, 'YYYY-MM-DDTHH:MM'.length).replace('T', ' ');
}

/** The start of an interval: an hour with its time, a day with its name, any other by its first day. */
export function startOf(time: string, interval: string | null | undefined): string {
  const text = minute(time);
  if (interval === 'hour' || Number.isNaN(Date.parse(time))) return text;
  const day = text.slice(0, 'YYYY-MM-DD'.length);
  return interval === 'day' ? `${day} ${WEEKDAYS[new Date(Date.parse(time)).getUTCDay()]}` : day;
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

export const rangeOf = ({ from, to }: { from: string; to: string }): string => `${minute(from)} to ${minute(to)} UTC`;
