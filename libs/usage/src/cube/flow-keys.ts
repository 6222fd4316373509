import { identityKey, type WeirEvent } from '@weir/events';

/** What is kept of the flow itself, for telling gaps: minutes in which it worked, and outages that services reported. */

export const MINUTE_MS = 60_000;
export const DAY_MINUTES = 1440;

/** How many days minutes of the flow are kept; before that nothing is said about it. */
export const FLOW_DAYS = 1500;

/** The minutes of a UTC day, counted from 1970-01-01, in which the flow worked: a bitmap of 1,440 bits. */
export function flowKey(prefix: string, day: number): string {
  return `${prefix}weir:flow:${new Date(day * DAY_MINUTES * MINUTE_MS).toISOString().slice(0, 10)}`;
}

/** The first minute, counted from 1970-01-01, that was ever recorded: there are no gaps before Weir was there. */
export function flowSinceKey(prefix: string): string {
  return `${prefix}weir:flow:since`;
}

/** What services reported of outages: a sorted set, scores the events' times in Unix milliseconds. */
export function outagesKey(prefix: string): string {
  return `${prefix}weir:outages`;
}

/** One report of an outage, without its time. */
export interface Report {
  up: boolean;
  /** By the publisher of events itself: they had to wait in its spool. */
  spooled: boolean;
  service: string;
  /** Which outage of the service, where it tells them apart. */
  outage: string;
}

/** The report of an `io.weir.outage` event as a member: another event, another member. `maintenance` is not up. */
export function formatReport(event: WeirEvent): string {
  const { state, reason, service, outage } = event.data;
  return JSON.stringify([state === 'up', reason === 'spooled', service, outage ?? '', identityKey(event)]);
}

export function parseReport(member: string): Report {
  const [up, spooled, service, outage] = JSON.parse(member) as [boolean, boolean, string, string];
  return { up, spooled, service, outage };
}
