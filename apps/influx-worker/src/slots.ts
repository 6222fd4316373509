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

/** What is known to be in the store: measurement → millisecond → what is there. */
export type Stored = Map<string, Map<number, Millisecond>>;

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
 * the same points. Adds to `stored` what it gives out.
 *
 * @returns one placement for each event, in their order; the second of two with one identity is `'stored'`
 */
export function place(batch: readonly Wanted[], stored: Stored): Placement[] {
  const placements = new Array<Placement>(batch.length).fill('stored');
  const fresh = distinct(batch, stored);
  const displaced: Wanted[] = [];
  const indexOf = new Map(fresh.map(([event, index]) => [event, index]));
  const holders = new Map<Millisecond, Map<number, Wanted>>();

  for (const [event] of fresh) {
    const there = millisecond(stored, event.measurement, event.timeMs);
    if (there.slots.has(event.preferredSlot)) {
      displaced.push(event);
      continue;
    }
    const claims = getOr(holders, there, () => new Map<number, Wanted>());
    const rival = claims.get(event.preferredSlot);
    const [winner, loser] = !rival || event.identity < rival.identity ? [event, rival] : [rival, event];
    claims.set(event.preferredSlot, winner);
    if (loser) displaced.push(loser);
  }

  const give = (event: Wanted, there: Millisecond, slot: number) => {
    there.slots.add(slot);
    there.identities.add(event.identity);
    placements[indexOf.get(event) as number] = slot;
  };
  for (const [there, claims] of holders) for (const [slot, event] of claims) give(event, there, slot);
  displaced.sort((a, b) => (a.identity < b.identity ? -1 : 1));
  for (const event of displaced) {
    const there = millisecond(stored, event.measurement, event.timeMs);
    if (there.slots.size >= SLOTS) placements[indexOf.get(event) as number] = 'full';
    else give(event, there, nextFree(there.slots, event.preferredSlot));
  }
  return placements;
}

/** The record of one millisecond of one measurement, made empty when there is none yet. */
export function millisecond(stored: Stored, measurement: string, timeMs: number): Millisecond {
  const times = getOr(stored, measurement, () => new Map<number, Millisecond>());
  return getOr(times, timeMs, () => ({ slots: new Set<number>(), identities: new Set<string>() }));
}

/** The events that the store does not have yet, each once, with their places in the batch. */
function distinct(batch: readonly Wanted[], stored: Stored): [Wanted, number][] {
  const seen = new Set<string>();
  const fresh: [Wanted, number][] = [];
  batch.forEach((event, index) => {
    if (seen.has(event.identity)) return;
    seen.add(event.identity);
    if (!millisecond(stored, event.measurement, event.timeMs).identities.has(event.identity))
      fresh.push([event, index]);
  });
  return fresh;
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
