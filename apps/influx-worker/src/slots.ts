import { SLOTS } from './point';

/** What a batch wants to store: one point for each event. */
export interface Wanted {
  measurement: string;
  timeMs: number;
  identity: string;
  preferredSlot: number;
}

/** What is known to be in one millisecond of one measurement: who is there, and in which slot. */
export type Millisecond = Map<string, number>;

/** What is known to be in the store: measurement → millisecond → what is there, where anything is. */
export type Stored = Map<string, Map<number, Millisecond>>;

/** In which milliseconds, by measurement, somebody wants to know what is there. */
export type Milliseconds = ReadonlyMap<string, ReadonlySet<number>>;

export function millisecondsOf(batch: readonly Pick<Wanted, 'measurement' | 'timeMs'>[]): Milliseconds {
  const wanted = new Map<string, Set<number>>();
  for (const { measurement, timeMs } of batch) getOr(wanted, measurement, () => new Set<number>()).add(timeMs);
  return wanted;
}

/** Where an event goes: its slot; or nowhere, because it is there already or because its millisecond is full. */
export type Placement = number | 'stored' | 'full';

/**
 * Gives every event its nanosecond within its own millisecond, so that different events never share a point and a
 * redelivered one never gets a second. What it gives out is added to what is known to be stored.
 *
 * InfluxDB knows a point by (measurement, tags, timestamp) and silently replaces one by the other. A hash of the
 * identity alone is not enough: 100,000 events in one millisecond would lose about 5,000 of each other. So: an event
 * that the store already has is left out; one whose preferred slot is free gets it; of several that prefer one slot the
 * smallest identity gets it, and the others get the next free ones, in order of identity. Slots are kept unique in all that
 * is known of the measurement, not just within a series: which series an event gets is the guard's to decide.
 *
 * The result depends on the store and on the set of events only, not on their order: a batch that is tried again gives
 * the same points.
 *
 * @returns one placement for each event, in their order; the second of two with one identity is `'stored'`
 */
export function place(batch: readonly Wanted[], stored: Stored): Placement[] {
  const placements = new Array<Placement>(batch.length).fill('stored');
  const at = (index: number) => batch[index] as Wanted;
  for (const [there, newcomers] of newcomersOf(batch, stored)) {
    const taken = new Set(there.values());
    taken.delete(NOWHERE);
    const give = (index: number, slot: number): void => {
      taken.add(slot);
      there.set(at(index).identity, slot);
      placements[index] = slot;
    };
    const displaced: number[] = [];
    for (const index of newcomers.sort((a, b) => (at(a).identity < at(b).identity ? -1 : 1))) {
      const { preferredSlot } = at(index);
      if (taken.has(preferredSlot)) displaced.push(index);
      else give(index, preferredSlot);
    }
    for (const index of displaced) {
      const { identity, preferredSlot } = at(index);
      const slot = nextFree(taken, preferredSlot);
      if (slot !== undefined) give(index, slot);
      else {
        there.delete(identity);
        placements[index] = 'full';
      }
    }
  }
  return placements;
}

/** What is known of one millisecond of one measurement, made empty when there is nothing yet. */
export function millisecond(stored: Stored, measurement: string, timeMs: number): Millisecond {
  const times = getOr(stored, measurement, () => new Map<number, Millisecond>());
  return getOr(times, timeMs, () => new Map<string, number>());
}

/** In no slot yet. */
const NOWHERE = -1;

/** By millisecond the events that are not there, each once: their places in the batch. From then on they are there. */
function newcomersOf(batch: readonly Wanted[], stored: Stored): Map<Millisecond, number[]> {
  const newcomers = new Map<Millisecond, number[]>();
  batch.forEach(({ measurement, timeMs, identity }, index) => {
    const there = millisecond(stored, measurement, timeMs);
    if (there.has(identity)) return;
    there.set(identity, NOWHERE);
    getOr(newcomers, there, () => []).push(index);
  });
  return newcomers;
}

function nextFree(taken: ReadonlySet<number>, from: number): number | undefined {
  if (taken.size >= SLOTS) return undefined;
  let slot = from;
  while (taken.has(slot)) slot = (slot + 1) % SLOTS;
  return slot;
}

/** The value of a key, made when there is none yet. */
export function getOr<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
