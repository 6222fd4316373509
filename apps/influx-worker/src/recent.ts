import { newestIn, storedIn } from './lookup';
import type { Asked } from './lookup';
import type { Server } from './server';
import { millisecond, place } from './slots';
import type { Placement, Stored, Wanted } from './slots';

/** An event that wants a place. */
export interface Candidate extends Wanted, Asked {
  /** It may have been here before, whatever is remembered: it is delivered again, or somebody replays it. */
  again: boolean;
}

/**
 * Places events, and remembers what the store has of the latest past, so that it need not be asked about events that
 * come as they happen: asking costs it as much as writing.
 *
 * This rests on there being one writer, whom the broker chooses: `weir.influx` has a single active consumer. The store
 * is asked once for the newest points of a measurement; whatever is later than those has been placed here, and is
 * remembered. So the store is still asked about an event that is not later, and about one that comes `again`: the
 * writer before this one may have written it, or be writing it yet.
 *
 * All of it is to be forgotten whenever somebody else may have written, or the store may have lost what it had.
 */
export interface Recent {
  /**
   * Gives out the places of a batch (see `place` of slots.ts). They must have been written before the next batch is
   * placed, or everything be forgotten.
   *
   * @throws ServerError when the store cannot answer: guessing would let one event replace another
   */
  place(server: Server, batch: readonly Candidate[]): Promise<Placement[]>;
  forget(): void;
}

/** So many points are remembered, of some 250 bytes each: of more the older half is forgotten. */
const POINTS = 10_000;
/** What is newest is not asked of any longer time: the store opens everything that it has from there on. */
const REACH_MS = 7 * 24 * 3600 * 1000;

export function createRecent(database: string, { points = POINTS } = {}): Recent {
  /** By measurement, a time in milliseconds since 1970: everything that is later is in `stored`. */
  const knownAfter = new Map<string, number>();
  const stored: Stored = new Map();
  /** No fewer than there are points in `stored`. */
  let held = 0;

  const isKnown = (measurement: string, timeMs: number) => timeMs > (knownAfter.get(measurement) ?? Infinity);

  /** Of measurements that nothing is known of: from the first event of the batch on. */
  const askNewest = async (server: Server, batch: readonly Candidate[]): Promise<void> => {
    const now = Date.now();
    const after = new Map<string, number>();
    for (const { measurement, timeMs } of batch) {
      if (knownAfter.has(measurement)) continue;
      // Not of the future: an event that is, of a clock that is wrong, would make nothing of the present known.
      after.set(measurement, Math.min(Math.max(now - REACH_MS, timeMs - 1), after.get(measurement) ?? now));
    }
    if (after.size === 0) return;
    for (const [measurement, { afterMs, times }] of await newestIn(server, database, after)) {
      knownAfter.set(measurement, afterMs);
      stored.set(measurement, times);
      for (const there of times.values()) held += there.size;
    }
  };

  /** What the store says of these events takes the place of what is remembered of them. */
  const ask = async (server: Server, events: readonly Candidate[]): Promise<void> => {
    if (events.length === 0) return;
    const found = await storedIn(server, database, events);
    for (const { measurement, timeMs, identity } of events) stored.get(measurement)?.get(timeMs)?.delete(identity);
    for (const [measurement, times] of found) {
      for (const [timeMs, there] of times) {
        const known = millisecond(stored, measurement, timeMs);
        for (const [identity, slot] of there) known.set(identity, slot);
        held += there.size;
      }
    }
  };

  /** What would be asked again is not remembered. */
  const dropUnknown = (asked: readonly Candidate[]): void => {
    for (const { measurement, timeMs } of asked)
      if (!isKnown(measurement, timeMs)) stored.get(measurement)?.delete(timeMs);
  };

  const forgetOlderHalf = (): void => {
    const times = Float64Array.from([...stored.values()].flatMap((each) => [...each.keys()])).sort();
    const middle = times[times.length >> 1] ?? Infinity;
    held = 0;
    for (const [measurement, each] of stored) {
      knownAfter.set(measurement, Math.max(middle, knownAfter.get(measurement) ?? middle));
      for (const [timeMs, there] of each) {
        if (timeMs <= middle) each.delete(timeMs);
        else held += there.size;
      }
    }
  };

  return {
    async place(server, batch) {
      await askNewest(server, batch);
      const unknown = batch.filter(({ again, measurement, timeMs }) => again || !isKnown(measurement, timeMs));
      await ask(server, unknown);
      const placements = place(batch, stored);
      held += batch.length;
      dropUnknown(unknown);
      if (held > points) forgetOlderHalf();
      return placements;
    },
    forget() {
      knownAfter.clear();
      stored.clear();
      held = 0;
    },
  };
}
