import type { History, HistoryBatch, HistoryEvent, HistoryReader } from '@weir/bus';
import { utcDay, type WeirEvent } from '@weir/events';
import { CliError, type Io } from '../io';
import { createProgress, type Progress } from './progress';
import type { Window } from './window';

/** The history of a window, read once, in steps. */
export interface Reading {
  progress: Progress;
  /** Messages that are no events. */
  invalid(): number;
  /** Reads on to the end as it is now. */
  toEnd(take: Take): Promise<void>;
  /** Reads on until the end is so near that the rest takes a moment only, whatever arrives meanwhile. */
  catchUp(take: Take): Promise<void>;
  close(): Promise<void>;
}

/** Is given the events of the window, in order. */
export type Take = (events: readonly WeirEvent[]) => Promise<void>;

/** A lap that took this long is short enough to be done once more while the counters stand still. */
const SHORT_LAP_MS = 500;
const MAX_LAPS = 20;

export async function startReading(io: Io, history: History, window: Window, what: string): Promise<Reading> {
  const reader: HistoryReader = await history.read(window.start);
  const progress = createProgress(io, what);
  let invalid = 0;

  const toEnd = async (take: Take): Promise<void> => {
    await reader.until(await history.mark(), async (batch: HistoryBatch) => {
      if (io.signal.aborted) throw new CliError('stopped; nothing was changed');
      invalid += batch.invalid;
      const events = inWindow(batch.events, window);
      if (events.length > 0) await take(events);
      progress.add(batch.events.length, reader.position());
    });
  };
  return {
    progress,
    invalid: () => invalid,
    toEnd,
    async catchUp(take) {
      for (let lap = 1; lap <= MAX_LAPS; lap += 1) {
        const begun = performance.now();
        await toEnd(take);
        if (performance.now() - begun < SHORT_LAP_MS) return;
      }
    },
    async close() {
      progress.end();
      await reader.close();
    },
  };
}

function inWindow(events: readonly HistoryEvent[], window: Window): WeirEvent[] {
  return events.filter(({ event }) => window.includes(utcDay(event))).map(({ event }) => event);
}
