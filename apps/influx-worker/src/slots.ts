import { SLOTS } from './point';

/** What a batch wants to store: one point for each event. */
export interface Wanted {
  measurement: string;
  timeMs: number;
  identity: string;
  preferredSlot: number;
}

/** What is known to be in one millisecond of one measurement. */
export interface Millisecond {
  slots: Set<number>;
  identities: Set<string>;
}

/** What is known to be in the store: measurement → millisecond → what is there, where anything is. */
export type Stored = Map<string, Map<number, Millisecond>>;

/** In which milliseconds, by measurement, somebody wants to know what is there. */
export type Milliseconds = ReadonlyMap<string, ReadonlySet<number>>;

export function millisecondsOf(batch: readonly Wanted[]): Milliseconds {
  const wanted = new Map<string, Set<number>>();
  for (const { measurement, timeMs } of batch) getOr(wanted, measurement, () => new Set<number>()).add(timeMs);
  return wanted;
}

/** Where an event goes: its slot; or nowhere, because it is there already or because its millisecond is full. */
export type Placement = number | 'stored' | 'full';

/**
 * Gives every event its nanosecond within its own millisecond, so that different events never share a point and a
 * redelivered one never gets a second.
 *
 * InfluxDB knows a point by (measurement, tags, timestamp) and silently replaces one by the other. A hash of the
 * identity alone is not enough: 100,000 events in one millisecond would lose about 5,000 of each other. So: an event
 * that the store already has is left out; one whose preferred slot is free gets it; of several that prefer one slot the
 * smallest identity gets it, and the others get the next free ones, in order of identity. Slots are kept unique in the
 * whole measurement, not just within a series, so that a decision of the guard can change without harm.
 *
 * The result depends on the store and on the set of events only, not on their order: a batch that is tried again gives
 * the same points.
 *
 * @returns one placement for each event, in their order; the second of two with one identity is `'stored'`
 */
export function place(batch: readonly Wanted[], stored: Stored): Placement[] {
  const placements = new Array<Placement>(batch.length).fill('stored');
  const fresh = distinct(batch, stored);
  const crowds = crowdsOf(fresh, batch);
  const inCrowd: number[] = [];
  for (const index of fresh) {
    const event = batch[index] as Wanted;
    if (crowds.get(event.measurement)?.get(event.timeMs) || thereIs(stored, event)) inCrowd.push(index);
    else placements[index] = event.preferredSlot;
  }
  placeCrowd(inCrowd, batch, stored, placements);
  return placements;
}

/** Adds to what is known what {@link place} has given out, in the milliseconds that are wanted. */
export function remember(
  stored: Stored,
  batch: readonly Wanted[],
  placements: readonly Placement[],
  wanted: Milliseconds,
): void {
  batch.forEach(({ measurement, timeMs, identity }, index) => {
    const slot = placements[index];
    if (typeof slot !== 'number' || !wanted.get(measurement)?.has(timeMs)) return;
    const there = millisecond(stored, measurement, timeMs);
    there.slots.add(slot);
    there.identities.add(identity);
  });
}

/** Places events that are not alone in their milliseconds, in the batch or in the store. */
function placeCrowd(
  indexes: readonly number[],
  batch: readonly Wanted[],
  given: Stored,
  placements: Placement[],
): void {
  const taken = new Map<Millisecond, Map<number, number>>();
  const displaced: number[] = [];
  const at = (index: number) => batch[index] as Wanted;
  const thereOf = (index: number) => millisecond(given, at(index).measurement, at(index).timeMs);

  for (const index of indexes) {
    const { preferredSlot, identity } = at(index);
    const there = thereOf(index);
    if (there.slots.has(preferredSlot)) {
      displaced.push(index);
      continue;
    }
    const claims = getOr(taken, there, () => new Map<number, number>());
    const rival = claims.get(preferredSlot);
    const [winner, loser] = rival === undefined || identity < at(rival).identity ? [index, rival] : [rival, index];
    claims.set(preferredSlot, winner);
    if (loser !== undefined) displaced.push(loser);
  }

  const give = (index: number, there: Millisecond, slot: number) => {
    there.slots.add(slot);
    placements[index] = slot;
  };
  for (const [there, claims] of taken) for (const [slot, index] of claims) give(index, there, slot);
  displaced.sort((a, b) => (at(a).identity < at(b).identity ? -1 : 1));
  for (const index of displaced) {
    const there = thereOf(index);
    if (there.slots.size >= SLOTS) placements[index] = 'full';
    else give(index, there, nextFree(there.slots, at(index).preferredSlot));
  }
}

/** What is known of one millisecond of one measurement, made empty when there is none yet. */
export function millisecond(stored: Stored, measurement: string, timeMs: number): Millisecond {
  const times = getOr(stored, measurement, () => new Map<number, Millisecond>());
  return getOr(times, timeMs, () => ({ slots: new Set<number>(), identities: new Set<string>() }));
}

/** The events that the store does not have yet, each once: their places in the batch. */
function distinct(batch: readonly Wanted[], stored: Stored): number[] {
  const seen = new Set<string>();
  const fresh: number[] = [];
  batch.forEach((event, index) => {
    if (seen.has(event.identity)) return;
    seen.add(event.identity);
    if (!thereIs(stored, event)?.identities.has(event.identity)) fresh.push(index);
  });
  return fresh;
}

/** Measurement → millisecond → whether more than one event is of it. */
function crowdsOf(fresh: readonly number[], batch: readonly Wanted[]): Map<string, Map<number, boolean>> {
  const crowds = new Map<string, Map<number, boolean>>();
  for (const index of fresh) {
    const { measurement, timeMs } = batch[index] as Wanted;
    const times = getOr(crowds, measurement, () => new Map<number, boolean>());
    times.set(timeMs, times.has(timeMs));
  }
  return crowds;
}

function thereIs(stored: Stored, { measurement, timeMs }: Wanted): Millisecond | undefined {
  return stored.get(measurement)?.get(timeMs);
}

function nextFree(taken: Set<number>, from: number): number {
  let slot = from;
  while (taken.has(slot)) slot = (slot + 1) % SLOTS;
  return slot;
}

function getOr<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
