import { setTimeout as pause } from 'node:timers/promises';
import { earliestArrival, findReach, type History, type HistoryBatch, type HistoryEvent } from '@weir/bus';
import { firstDayOf, startFill, takeHold, type Age, type Fill, type FillOptions, type FilledDay } from '@weir/usage';
import type { Logger } from 'pino';

export interface FromHistory extends FillOptions {
  history: History;
  /** How many messages wait for the live counting. */
  queued(): Promise<number>;
  /** As the redis-worker is told (DEDUPE_DAYS). */
  dedupeSeconds: number;
  signal: AbortSignal;
  log: Logger;
  /** Told after every batch: events that were read, and messages that are left to be read, about. */
  progress(events: number, left: number): void;
}

/** So many events that are not counted live yet are held in memory; then the live counting is waited for. */
const MOST_WAITING = 10_000;
const LOOK_MS = 500;
/** When none of them has been counted for so long, and nothing is in the queue, nothing is on its way. */
const STUCK_MS = 60_000;
/** The live counting has the same process and the same Redis: it gets at least half of them. */
const LONGEST_PAUSE_MS = 250;
/** A lap that took this long is short enough to be done once more while the counters stand still. */
const SHORT_LAP_MS = 500;
const MAX_LAPS = 20;
/** How often the history is asked again for events that have been counted already: it may be some moments behind. */
const ASKED_AGAIN = 4;
const REFRESH_MS = 600_000;

/** Fills the cubes from the history, and switches them on. @throws Error when it has to be tried again */
export async function fillFromHistory(options: FromHistory): Promise<void> {
  const { history, cubes } = options;
  const fill = await startFill(options);
  const from = cubes.map((cube) => firstDayOf(cube, Date.now())).sort()[0] ?? '';
  const reader = await history.read(from === '' ? 'first' : earliestArrival(from));
  try {
    const taking = await createTaking(options, fill, () => reader.position());
    const toEnd = async (take: (batch: HistoryBatch) => Promise<void>) => {
      await taking.begin();
      await reader.until(await history.mark(), take);
    };
    const catchUp = async () => {
      for (let lap = 1; lap <= MAX_LAPS; lap += 1) {
        const begun = performance.now();
        await toEnd(taking.slowly);
        if (performance.now() - begun < SHORT_LAP_MS) return;
      }
    };
    await catchUp();
    const reach = await findReach(history, fill.days());
    await catchUp(); // that took its time

    const hold = await takeHold(options);
    try {
      for (let asked = 1; ; asked += 1) {
        await toEnd(taking.atOnce);
        await fill.again();
        if (asked === ASKED_AGAIN || (await hasAllOfLately(fill))) break;
      }
      const days = fill.days().map((day): FilledDay => {
        return { day, whole: reach.covers(day) || (reach.complete && 'remembered') };
      });
      await fill.finish(hold, days, reach.complete ? undefined : taking.oldest());
    } finally {
      await hold.release().catch(() => {}); // it expires
    }
  } finally {
    await reader.close().catch(() => {});
  }
}

async function hasAllOfLately(fill: Fill): Promise<boolean> {
  const days = [0, 1].map((ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 'YYYY-MM-DD'.length));
  return (await Promise.all(days.map((day) => fill.hasAllOf(day)))).every(Boolean);
}

/** What is done with a batch of the history. */
async function createTaking(options: FromHistory, fill: Fill, position: () => number) {
  const { history, queued, dedupeSeconds, signal, log, progress } = options;
  let forgottenBefore = 0;
  let settledBefore = 0;
  let end = 0;
  let refreshed = -Infinity;
  let oldest: number | undefined;

  const ageOf = ({ offset }: HistoryEvent): Age =>
    offset < forgottenBefore ? 'forgotten' : offset < settledBefore ? 'settled' : 'fresh';

  const take = async ({ events }: HistoryBatch): Promise<void> => {
    if (signal.aborted) throw new Error('stopped');
    const [first] = events;
    if (first !== undefined) oldest ??= Date.parse(first.event.time);
    for (const age of ['forgotten', 'settled', 'fresh'] as const) {
      const own = events.filter((each) => ageOf(each) === age);
      if (own.length > 0) await fill.take(own.map(({ event }) => event), age); // prettier-ignore
    }
    progress(events.length, Math.max(0, end - position()));
  };

  /** The live counting is far behind what has been read: it is waited for. */
  const letCatchUp = async (): Promise<void> => {
    let moved = performance.now();
    while (fill.waiting() > MOST_WAITING) {
      if (signal.aborted) throw new Error('stopped');
      if ((await fill.again()) > 0) moved = performance.now();
      if (performance.now() - moved > STUCK_MS && (await queued()) === 0) {
        settledBefore = await history.offsetAt(new Date(Date.now() - STUCK_MS));
        log.warn(
          { events: fill.waiting() },
          'the history has events that were never counted: `weir rebuild` counts them',
        );
        fill.giveUp();
      }
      await pause(LOOK_MS);
    }
  };

  return {
    /** When the first event of the history was, Unix ms. */
    oldest: () => oldest,
    /** Before each lap: where the end is, and what may have been forgotten by now. */
    async begin() {
      end = await history.offsetAt(new Date());
      if (performance.now() - refreshed < REFRESH_MS) return;
      refreshed = performance.now();
      forgottenBefore = await history.offsetAt(new Date(Date.now() - dedupeSeconds * 1000));
    },
    atOnce: take,
    async slowly(batch: HistoryBatch) {
      const begun = performance.now();
      await take(batch);
      if (fill.waiting() > 0) await fill.again();
      await letCatchUp();
      await pause(Math.min(LONGEST_PAUSE_MS, performance.now() - begun));
    },
  };
}
