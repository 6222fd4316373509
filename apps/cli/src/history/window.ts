import { earliestArrival } from '@weir/bus';
import { CliError, exitCodes } from '../io';

/** UTC days from one to another, both included; a bound that is absent does not restrict. */
export interface Window {
  from?: string;
  to?: string;
  includes(day: string): boolean;
  /** Where to start reading the history: at its beginning, or at what may hold the first event of the window. */
  start: 'first' | Date;
  /** `all days`, `2026-11-21 to 2026-11-23`: for people. */
  text: string;
}

const DAY_MS = 24 * 3600 * 1000;

/** @throws CliError (exit code 2) for what is no day, or an end before the beginning. */
export function windowOf({ from, to }: { from?: string; to?: string }): Window {
  for (const [option, day] of Object.entries({ from, to })) {
    if (day !== undefined && !isDay(day))
      throw new CliError(`--${option} must be a day, YYYY-MM-DD: not ${day}`, exitCodes.usage);
  }
  if (from !== undefined && to !== undefined && to < from)
    throw new CliError(`--to ${to} lies before --from ${from}`, exitCodes.usage);
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    includes: (day) => (from === undefined || day >= from) && (to === undefined || day <= to),
    start: from === undefined ? 'first' : earliestArrival(from),
    text:
      from === undefined && to === undefined
        ? 'all days'
        : from === to
          ? String(from)
          : `${from ?? 'the first day'} to ${to ?? 'now'}`,
  };
}

/** The days from one to another, both included. */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let ms = Date.parse(from); ms <= Date.parse(to); ms += DAY_MS)
    days.push(new Date(ms).toISOString().slice(0, 10));
  return days;
}

/** A moment: RFC 3339, or a day for its beginning. @throws CliError (exit code 2) */
export function momentOf(option: string, text: string): string {
  const whole = isDay(text) ? `${text}T00:00:00.000Z` : text;
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(whole) ? Date.parse(whole) : NaN;
  if (Number.isNaN(ms)) {
    throw new CliError(`${option} must be a day or a time such as 2026-11-23T06:54:00Z: not ${text}`, exitCodes.usage);
  }
  return new Date(ms).toISOString();
}

function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00.000Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
