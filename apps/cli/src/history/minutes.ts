import { keysBeginning, startRecount, type Keyed, type Recount, type Step } from '@weir/usage';
import { utcDay, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';

/** How many events there are of every minute of the events' own time, `2026-11-23T06:54`. */
export type Minutes = ReadonlyMap<string, number>;

/**
 * Counts the events of each minute, each once, as one store knows an event again. What was seen is remembered in Redis:
 * the history may hold more than fits into a process.
 */
export interface MinuteCount {
  count(events: readonly WeirEvent[]): Promise<void>;
  /** What was counted so far. */
  minutes(): Promise<Minutes>;
  remove(): Promise<void>;
}

/** What makes two messages the same event for a store. */
export type Sameness =
  /** (source, id), whatever else there is: MongoDB has one document. */
  | 'identity'
  /** (source, id) of one type at one time: InfluxDB has one point (docs/decisions/0002). */
  | 'identity and time';

export async function countMinutes(redis: Redis, prefix: string, sameness: Sameness): Promise<MinuteCount> {
  const recount: Recount = await startRecount({ redis, prefix, statistics: [minutesStatistic] });
  const disguise = sameness === 'identity' ? byIdentity : byIdentityAndTime;
  return {
    count: (events) => recount.count(events.map(disguise)),
    remove: recount.remove,
    async minutes() {
      const found = new Map<string, number>();
      for await (const keys of keysBeginning(redis, `${recount.prefix}${MEASURE}/`)) {
        const values = await redis.mget(keys);
        keys.forEach((key, at) => found.set(readMinute(key.slice(-MINUTE_DIGITS)), Number(values[at])));
      }
      return found;
    },
  };
}

const MEASURE = 'events';
const MINUTE_DIGITS = 'YYYYMMDDHHMM'.length;
const known = new Map<string, readonly Step[]>();

const minutesStatistic: Keyed = {
  name: 'minutes',
  summary: 'Events by minute.',
  description: 'One for every event, whatever its type; for `weir verify` alone.',
  steps({ data }) {
    const minute = String(data['minute']);
    let steps = known.get(minute);
    if (steps === undefined) {
      if (known.size > 10_000) known.clear();
      steps = [{ measure: MEASURE, dimensions: { minute }, resolution: 'all' }];
      known.set(minute, steps);
    }
    return steps;
  },
};

/** The set that an event is looked for in is that of its day: on one made-up day all are looked for in one set. */
function byIdentity(event: WeirEvent): WeirEvent {
  return { ...plain(event), id: event.id, time: '2000-01-01T00:00:00.000Z' };
}

function byIdentityAndTime(event: WeirEvent): WeirEvent {
  return { ...plain(event), id: `${event.id}\n${event.time}\n${event.type}` };
}

function plain({ source, time }: WeirEvent): WeirEvent {
  const minute = time.slice(0, 16).replace(/\D/g, '');
  return { specversion: '1.0', id: '', source, type: 'minute', time, data: { minute } };
}

function readMinute(digits: string): string {
  const [, year, month, day, hour, minute] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(digits) ?? [];
  return `${year}-${month}-${day}T${hour}:${minute}`;
}

/** The days of these minutes, in order. */
export function daysOf(minutes: Minutes): string[] {
  return [...new Set([...minutes.keys()].map((minute) => utcDay({ time: minute })))].sort();
}
