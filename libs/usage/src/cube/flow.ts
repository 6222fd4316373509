import type { Redis } from 'ioredis';
import { DAY_MINUTES, FLOW_DAYS, flowKey, flowSinceKey, MINUTE_MS, outagesKey, parseReport } from './flow-keys';

/** Intervals of which the numbers are not whole: told as gaps, never as zero. */
export interface Gap {
  /** Unix time in milliseconds, half-open. */
  from: number;
  to: number;
  /**
   * `flow`: nothing went through the broker to the counters, so what happened then may be missing or come late.
   * `emergency`: events came through the emergency path (a publisher's spool), because the broker was away.
   * `outage`: a service said that it was down (`io.weir.outage`).
   */
  reason: 'flow' | 'emergency' | 'outage';
  /** Of an outage and of an emergency: the service. */
  service?: string;
}

export interface Flow {
  /** The gaps within a range, in order of time; at most some hundred, then the last one reaches to the end. */
  gaps(from: number, to: number): Promise<readonly Gap[]>;
}

export interface FlowOptions {
  redis: Redis;
  prefix: string;
  /** How far back the minutes of the flow are looked at. */
  keepDays?: number;
  /** Unix ms. */
  now?: () => number;
}

/**
 * Silence of so many whole minutes is a gap. Canaries go out every 10 s, so that a worker which is started anew has none
 * in one minute at most, and nothing is missing then: its events have waited in their queue.
 */
export const SILENT_MINUTES = 2;
/** An outage that nobody ends is over so long after its last report: the report of its end may have been lost. */
export const OPEN_MS = 7 * DAY_MINUTES * MINUTE_MS;
export const MOST_GAPS = 300;

const DAY_BYTES = DAY_MINUTES / 8;

/** Reads what the redis-worker wrote down of the flow (`createFlowRecorder`). */
export function createFlow({ redis, prefix, keepDays = FLOW_DAYS, now = Date.now }: FlowOptions): Flow {
  /** Runs of whole minutes without a canary; one that goes on reaches to now. */
  const silences = async (from: number, to: number, at: number): Promise<Gap[]> => {
    const since = await redis.get(flowSinceKey(prefix));
    if (since === null) return [];
    // Somewhat more than was asked for: a run has its whole length, wherever the range cuts it.
    const running = Math.floor(at / MINUTE_MS);
    const first = Math.max(
      Number(since),
      running - keepDays * DAY_MINUTES,
      Math.floor(from / MINUTE_MS) - SILENT_MINUTES,
    );
    const end = Math.min(running, Math.ceil(to / MINUTE_MS) + SILENT_MINUTES);
    if (first >= end) return [];
    const day = Math.floor(first / DAY_MINUTES);
    const midnight = day * DAY_MINUTES;
    const bits = await bitsOf(day, Math.floor((end - 1) / DAY_MINUTES));
    return silentRuns(bits, first - midnight, end - midnight).map((run) => {
      const goesOn = midnight + run.end === running;
      const minute = (of: number) => (midnight + of) * MINUTE_MS;
      return { from: minute(run.first), to: goesOn ? at : minute(run.end), reason: 'flow' };
    });
  };

  /** One bit for each minute of these days, the first and the last included: whether the flow worked in it. */
  const bitsOf = async (first: number, last: number): Promise<Buffer> => {
    const days = Array.from({ length: last - first + 1 }, (_, n) => flowKey(prefix, first + n));
    const bits = Buffer.alloc(days.length * DAY_BYTES);
    for (const [n, bitmap] of (await redis.mgetBuffer(days)).entries()) bitmap?.copy(bits, n * DAY_BYTES, 0, DAY_BYTES);
    return bits;
  };

  const outages = async (at: number): Promise<Gap[]> => {
    const found = await redis.zrange(outagesKey(prefix), '0', '-1', 'WITHSCORES');
    return paired(found, at);
  };

  return {
    async gaps(from, to) {
      const at = now();
      const end = Math.min(to, at);
      const found = (await Promise.all([silences(from, end, at), outages(at)])).flat();
      const within = found
        .map((gap) => ({ ...gap, from: Math.max(gap.from, from), to: Math.min(gap.to, end) }))
        .filter((gap) => gap.from < gap.to)
        .sort((a, b) => a.from - b.from);
      return bounded(within, end);
    },
  };
}

/** Runs of silence that are long enough; no more than are told one by one. Most minutes are passed over by eights. */
function silentRuns(bits: Buffer, first: number, end: number) {
  const runs: { first: number; end: number }[] = [];
  let silentFrom = first;
  const works = (from: number, minutes: number): void => {
    if (from - silentFrom >= SILENT_MINUTES) runs.push({ first: silentFrom, end: from });
    silentFrom = from + minutes;
  };
  let minute = first;
  while (minute < end && runs.length <= MOST_GAPS) {
    const eight = bits[minute >> 3] ?? 0;
    const alike = (eight === 0 || eight === 0xff) && (minute & 7) === 0 && minute + 8 <= end;
    const step = alike ? 8 : 1;
    if ((eight & (0x80 >> (minute & 7))) !== 0) works(minute, step);
    minute += step;
  }
  works(minute, 0);
  return runs;
}

/** From reports in order of time, members and scores in turn: each outage from the first `down` to the next `up`. */
function paired(reports: readonly string[], at: number): Gap[] {
  const gaps: Gap[] = [];
  const open = new Map<string, { gap: Gap; last: number }>();
  for (let n = 0; n + 1 < reports.length; n += 2) {
    const { up, spooled, service, outage } = parseReport(reports[n] ?? '');
    const time = Number(reports[n + 1]);
    const key = JSON.stringify([spooled, service, outage]);
    const known = open.get(key);
    if (up) {
      if (known) known.gap.to = time;
      open.delete(key);
    } else if (known && time <= known.last + OPEN_MS) {
      known.last = time;
      known.gap.to = time + OPEN_MS;
    } else {
      const gap: Gap = { from: time, to: time + OPEN_MS, reason: spooled ? 'emergency' : 'outage', service };
      gaps.push(gap);
      open.set(key, { gap, last: time });
    }
  }
  return gaps.map((gap) => ({ ...gap, to: Math.min(gap.to, at) }));
}

function bounded(gaps: readonly Gap[], end: number): readonly Gap[] {
  const last = gaps[MOST_GAPS - 1];
  if (!last || gaps.length === MOST_GAPS) return gaps;
  return [...gaps.slice(0, MOST_GAPS - 1), { from: last.from, to: end, reason: last.reason }];
}
