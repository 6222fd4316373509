import { findReach, type History, type Reach } from '@weir/bus';
import {
  compare,
  findDays,
  startRecount,
  swap,
  takeHold,
  type DayFound,
  type Drift,
  type Hold,
  type Recount,
  type Sides,
} from '@weir/usage';
import { CliError, type Io } from '../io';
import { judge, type Judgement } from './proof';
import { startReading, type Reading } from './reading';
import { countedStatistics, type Counted } from './statistics';
import type { UsageStore } from './stores';
import type { Window } from './window';

/** What a look at the counters under a hold has found. */
export interface Looked {
  drifts: Drift[];
  judgement: Judgement;
  /** All that has ever been counted was recounted: counters for all time are exact, too. */
  everything: boolean;
  /** Events that the history has and that are not counted yet: they wait in the queue, or are lost. */
  uncounted: number;
  /** How long the counting stood still, milliseconds. */
  heldMs: number;
  swapped: boolean;
  /** Statistics that are counted live and not known here. */
  unknown: readonly string[];
}

/** A recount of the window that can be looked at as often as one likes, and put into the place of the live counters. */
export interface Rebuild {
  reading: Reading;
  /** Reads on to the end of the history, holds the counters there, compares; and swaps, when asked to. */
  look(swapping: boolean): Promise<Looked>;
  close(): Promise<void>;
}

/** How often the history is asked again for events that have been counted already: it may be some moments behind. */
const ASKED_AGAIN = 4;

export async function startRebuild(io: Io, history: History, store: UsageStore, window: Window): Promise<Rebuild> {
  const { redis, prefix, dedupeSeconds } = store;
  const counted = await countedStatistics(io, store);
  const { statistics, plugins, all, names } = counted;
  const recount = await startRecount({ redis, prefix, statistics, plugins, names });
  const sides: Sides = { redis, statistics: all, prefix, recount: recount.prefix, names };
  const release: (() => Promise<void>)[] = [() => recount.remove()];
  const close = async () => {
    for (const each of release) await each().catch(() => {}); // what is left goes by itself
  };
  try {
    const reading = await startReading(io, history, window, 'recounting');
    release.unshift(reading.close);
    return {
      reading,
      close,
      async look(swapping) {
        await reading.catchUp(recount.count);
        const days = (await findDays(sides, window.includes)).map(({ day }) => day);
        const reach = await findReach(history, days);
        await reading.catchUp(recount.count); // that took its time
        const hold = await takeHold({ redis, prefix });
        try {
          return await lookUnder(hold, swapping, {
            io,
            reading,
            recount,
            sides,
            window,
            reach,
            dedupeSeconds,
            counted,
          });
        } finally {
          await hold.release().catch(() => {}); // it expires
        }
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Held {
  io: Io;
  reading: Reading;
  recount: Recount;
  sides: Sides;
  window: Window;
  reach: Reach;
  dedupeSeconds: number;
  counted: Counted;
}

async function lookUnder(hold: Hold, swapping: boolean, held: Held): Promise<Looked> {
  const { io, sides, window, reach, dedupeSeconds, counted } = held;
  const begun = performance.now();
  const days = await readToEnd(held);
  const judgement = judge(days, reach, dedupeSeconds);
  const bounded = window.from !== undefined || window.to !== undefined;
  // Asked for by name, a day that cannot be rebuilt is an error; of all days, it is left as it is.
  if (bounded && judgement.rest.length > 0) throw new CliError(refusal(judgement));
  const everything = !bounded && reach.complete && judgement.rest.length === 0;
  const drifts = await compare(sides, judgement.exact, everything);
  if (swapping) {
    if (io.signal.aborted) throw new CliError('stopped; nothing was changed');
    await swap({ sides, hold, days: judgement.exact, drifts, dedupeSeconds, live: counted.live });
  }
  const uncounted = judgement.exact.reduce((sum, { recounted, common }) => sum + recounted - common, 0);
  return {
    drifts,
    judgement,
    everything,
    uncounted,
    heldMs: performance.now() - begun,
    swapped: swapping,
    unknown: counted.unknown,
  };
}

/** Everything that was counted before the hold is in the history before its end, but that may take it some moments. */
async function readToEnd({ reading, recount, sides, window }: Held): Promise<DayFound[]> {
  for (let asked = 1; ; asked += 1) {
    await reading.toEnd(recount.count);
    const days = await findDays(sides, window.includes);
    if (asked === ASKED_AGAIN || days.every(({ counted, common }) => common === counted)) return days;
  }
}

function refusal({ rest }: Judgement): string {
  const [first] = rest;
  const others = rest.length > 1 ? ` (and ${rest.length - 1} more)` : '';
  return (
    `${first?.found.day} cannot be rebuilt${others}: ${first?.why}. Nothing was changed. ` +
    'Choose other days with --from and --to, or none: then every day is rebuilt that can be.'
  );
}
