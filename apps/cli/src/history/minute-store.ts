import { setTimeout as pause } from 'node:timers/promises';
import type { Minutes } from './minutes';
import type { Row } from './report';

/** A store that has something for every event: InfluxDB a point, MongoDB a document. */
export interface MinuteStore {
  name: 'influx' | 'mongo';
  /** How many days it keeps an event after it arrived; for ever when absent. */
  keptDays?: number;
  /** What it has of one UTC day. @throws CliError (69) when it does not answer */
  count(day: string): Promise<Minutes>;
  close(): Promise<void>;
}

/** Two looks at a store that changes between them say that it is still being written. */
const LOOK_MS = 500;

/**
 * What the store has of these days: read again until nothing that is expected is missing, or `waitMs` are over: a
 * worker that is behind is no drift.
 */
export async function readSettled(
  store: MinuteStore,
  days: readonly string[],
  expected: Minutes,
  waitMs: number,
): Promise<Map<string, number>> {
  const deadline = Date.now() + waitMs;
  const found = new Map<string, number>();
  let left = [...days];
  for (;;) {
    for (const day of left) for (const [minute, count] of await store.count(day)) found.set(minute, count);
    const missing = new Set<string>();
    for (const [minute, count] of expected) if ((found.get(minute) ?? 0) < count) missing.add(minute.slice(0, 10));
    left = days.filter((day) => missing.has(day));
    if (left.length === 0 || Date.now() > deadline) return found;
    await pause(LOOK_MS);
  }
}

/**
 * Minutes that have less than the history had before the store was read, or more than it had afterwards. So what
 * arrives meanwhile is no drift, and a minute in which nothing arrived is held to the event.
 */
export function minuteDrifts(store: MinuteStore['name'], found: Minutes, before: Minutes, after: Minutes): Row[] {
  const rows: Row[] = [];
  for (const minute of [...new Set([...found.keys(), ...after.keys()])].sort()) {
    const has = found.get(minute) ?? 0;
    const [least, most] = [before.get(minute) ?? 0, after.get(minute) ?? 0];
    const expected = has < least ? least : has > most ? most : has;
    if (expected === has) continue;
    rows.push({ store, key: `${minute}Z`, expected: BigInt(expected), found: BigInt(has) });
  }
  return rows;
}
