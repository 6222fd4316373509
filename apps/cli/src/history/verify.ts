import { deadQueueOf, earliestArrival, findReach, openHistory, type Reach } from '@weir/bus';
import type { WeirEvent } from '@weir/events';
import type { ChannelModel } from 'amqplib';
import type { Io } from '../io';
import { openInflux } from './influx';
import { minuteDrifts, readSettled, type MinuteStore } from './minute-store';
import { countMinutes, daysOf, type MinuteCount, type Minutes } from './minutes';
import { openMongo } from './mongo';
import { startReading } from './reading';
import type { Row } from './report';
import type { UsageStore } from './stores';
import { messagesIn, startUsageCheck } from './verify-usage';
import { daysBetween, type Window } from './window';

export type StoreName = 'redis' | 'influx' | 'mongo';

export interface Verified {
  rows: Row[];
  /** Per store: the days that were held against the history. */
  days: Partial<Record<StoreName, string[]>>;
  /** Days that could not be, and why. */
  left: { store: StoreName; day: string; why: string }[];
  events: number;
  invalid: number;
  seconds: number;
  /** How long the counting in Redis stood still, milliseconds. */
  heldMs: number;
  /** Statistics that are counted live and not known here. */
  unknown: readonly string[];
  /** Dead letters per worker: they explain what is missing. */
  deadLetters: Partial<Record<StoreName, number>>;
}

export interface VerifyOptions {
  connection: ChannelModel;
  store: UsageStore;
  window: Window;
  stores: readonly StoreName[];
  /** How long a worker may take to catch up, milliseconds. */
  waitMs: number;
  influx?: string | undefined;
  mongodb?: string | undefined;
}

/** InfluxDB or MongoDB, and what the history says that it should have. */
interface MinuteCheck {
  store: MinuteStore;
  counted: MinuteCount;
}

/** Holds the stores against the history of the window. @throws CliError when one cannot be judged */
export async function verify(io: Io, options: VerifyOptions): Promise<Verified> {
  const { connection, store, window, stores, waitMs } = options;
  const history = openHistory(connection);
  const release: (() => Promise<void>)[] = [];
  const keep = <T>(made: T, close: () => Promise<void>): T => (release.unshift(close), made);
  try {
    const checks = await openChecks(io, options, keep);
    const usage = stores.includes('redis')
      ? await startUsageCheck({ io, connection, history, store, window, waitMs }).then((made) => keep(made, made.close))
      : undefined;
    const reading = await startReading(io, history, window, 'verifying').then((made) => keep(made, made.close));
    const count = async (events: readonly WeirEvent[]) => {
      for (const { counted } of checks) await counted.count(events);
    };

    await reading.catchUp(async (events) => {
      await usage?.count(events);
      await count(events);
    });
    const seen = [];
    for (const { store: each, counted } of checks) {
      const before = await counted.minutes();
      const days = await daysToRead(await daysOfWindow(before, window), each, () => findReach(history, daysOf(before)));
      seen.push({ each, counted, before, days, found: await readSettled(each, days, within(before, days), waitMs) });
    }

    const judged = usage ? await usage.finish(reading, count) : undefined;
    if (!usage) await reading.toEnd(count);
    const verified: Verified = {
      rows: judged?.rows ?? [],
      days: judged ? { redis: judged.days } : {},
      left: judged?.left.map(({ found: { day }, why }) => ({ store: 'redis' as const, day, why })) ?? [],
      events: reading.progress.events(),
      invalid: reading.invalid(),
      seconds: reading.progress.seconds(),
      heldMs: judged?.heldMs ?? 0,
      unknown: usage?.unknown ?? [],
      deadLetters: {},
    };
    for (const { each, counted, before, days, found } of seen) {
      const after = within(await counted.minutes(), days);
      verified.rows.push(...minuteDrifts(each.name, found, within(before, days), after));
      verified.days[each.name] = days;
    }
    for (const name of stores) verified.deadLetters[name] = await messagesIn(connection, deadQueueOf(name));
    return verified;
  } finally {
    for (const close of release) await close().catch(() => {}); // what is left in Redis goes by itself
  }
}

async function openChecks(
  io: Io,
  { store: { redis, prefix }, stores, influx, mongodb }: VerifyOptions,
  keep: <T>(made: T, close: () => Promise<void>) => T,
): Promise<MinuteCheck[]> {
  const opened: MinuteStore[] = [];
  if (stores.includes('influx')) opened.push(await openInflux(io, influx));
  if (stores.includes('mongo')) opened.push(await openMongo(io, mongodb));
  const checks: MinuteCheck[] = [];
  for (const store of opened) {
    keep(store, store.close);
    const sameness = store.name === 'mongo' ? 'identity' : 'identity and time';
    const counted = await countMinutes(redis, prefix, sameness);
    checks.push({ store, counted: keep(counted, counted.remove) });
  }
  return checks;
}

/** Every day of the window that is bounded; otherwise the days that the history has anything of. */
function daysOfWindow(minutes: Minutes, { from, to }: Window): string[] {
  const days = daysOf(minutes);
  const [first, last] = [from ?? days[0], to ?? days.at(-1)];
  if (first === undefined || last === undefined || last < first) return days;
  return from === undefined && to === undefined ? days : daysBetween(first, last);
}

/** Those days that the history covers, and that the store still keeps. */
async function daysToRead(days: string[], { keptDays }: MinuteStore, reachOf: () => Promise<Reach>): Promise<string[]> {
  const reach = await reachOf();
  const kept = keptDays === undefined ? 0 : Date.now() - keptDays * 24 * 3600 * 1000;
  return days.filter((day) => (reach.complete || reach.covers(day)) && earliestArrival(day).getTime() >= kept);
}

function within(minutes: Minutes, days: readonly string[]): Minutes {
  const wanted = new Set(days);
  return new Map([...minutes].filter(([minute]) => wanted.has(minute.slice(0, 10))));
}
