import { setTimeout as pause } from 'node:timers/promises';
import { findReach, queueOf, type History } from '@weir/bus';
import { compare, findDays, isCube, readLive, startRecount, takeHold, type Recount, type Sides } from '@weir/usage';
import type { ChannelModel } from 'amqplib';
import { CliError, exitCodes, type Io } from '../io';
import { judge, type Unproven } from './proof';
import { grouped } from './progress';
import type { Reading, Take } from './reading';
import { rowOf, type Row } from './report';
import { countedStatistics } from './statistics';
import type { UsageStore } from './stores';
import type { Window } from './window';

/** The counters in Redis, held against the history. */
export interface UsageCheck {
  /** To be given every event of the history up to some marker. */
  count: Take;
  /** Waits for the redis-worker, holds the counters, and compares; reads on with `reading`, and `alongside` is given the same. */
  finish(reading: Reading, alongside: Take): Promise<{ rows: Row[]; days: string[]; left: Unproven[]; heldMs: number }>;
  /** Statistics that are counted live and not known here. */
  unknown: readonly string[];
  close(): Promise<void>;
}

const LOOK_MS = 200;

export async function startUsageCheck(options: {
  io: Io;
  connection: ChannelModel;
  history: History;
  store: UsageStore;
  window: Window;
  waitMs: number;
}): Promise<UsageCheck> {
  const { io, connection, history, window, waitMs } = options;
  const { redis, prefix, dedupeSeconds } = options.store;
  const { statistics, plugins, all, unknown, names } = await countedStatistics(io, options.store);
  const recount = await startRecount({ redis, prefix, statistics, plugins, names });
  const sides: Sides = { redis, statistics: all, prefix, recount: recount.prefix, names };
  return {
    unknown,
    count: recount.count,
    close: recount.remove,
    async finish(reading, alongside) {
      const days = (await findDays(sides, window.includes)).map(({ day }) => day);
      const reach = await findReach(history, days);
      // All of that took its time; what has arrived since is counted now, and not while the counters are held.
      await reading.catchUp(async (events) => {
        await recount.count(events);
        await alongside(events);
      });
      await settle(connection, sides, recount, waitMs);
      const hold = await takeHold({ redis, prefix });
      const begun = performance.now();
      try {
        // What is counted no more is not held against anything.
        const { cubes } = await readLive(redis, prefix, all.filter(isCube));
        sides.statistics = all.filter((each) => !isCube(each) || cubes.includes(each));
        // What has arrived since is counted here if, and only if, it is counted there: the rest is on its way.
        await reading.toEnd(async (events) => {
          await recount.countLive(events);
          await alongside(events);
        });
        const { exact, rest } = judge(await findDays(sides, window.includes), reach, dedupeSeconds);
        const strange = rest.filter(({ unknown }) => unknown).map(({ found }) => found);
        const judged = [...exact, ...strange];
        const bounded = window.from !== undefined || window.to !== undefined;
        const everything = !bounded && reach.complete && judged.length === exact.length + rest.length;
        const rows = (await compare(sides, judged, everything)).map(rowOf('redis'));
        const left = rest.filter(({ unknown }) => !unknown);
        return { rows, days: judged.map(({ day }) => day).sort(), left, heldMs: performance.now() - begun };
      } finally {
        await hold.release().catch(() => {}); // it expires
      }
    },
  };
}

/** Waits until every event that was recounted is counted. @throws CliError (69) when the redis-worker is far behind */
async function settle(connection: ChannelModel, sides: Sides, recount: Recount, waitMs: number): Promise<void> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const days = await uncountedOf(sides, recount);
    if (days === 0) return;
    if (Date.now() > deadline) {
      const waiting = await messagesIn(connection, queueOf('redis'));
      if (waiting === 0) return; // nothing is on its way any more: they are missing
      throw new CliError(
        `the redis-worker has not counted ${grouped(days)} events yet, and ${grouped(waiting)} wait in ` +
          `${queueOf('redis')}: is it running? Verify again when it has caught up (or wait longer, --wait)`,
        exitCodes.unavailable,
      );
    }
    await pause(LOOK_MS);
  }
}

async function uncountedOf({ redis, prefix }: Sides, recount: Recount): Promise<number> {
  let uncounted = 0;
  for (const day of recount.days()) {
    const [live, own] = [prefix, recount.prefix].map((side) => `${side}weir:seen:${day}`) as [string, string];
    uncounted += (await redis.scard(own)) - (await redis.sintercard(2, own, live));
  }
  return uncounted;
}

/** Messages that wait in a queue, those that a worker has in hand not counted; 0 where there is no such queue. */
export async function messagesIn(connection: ChannelModel, queue: string): Promise<number> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  try {
    const { messageCount } = await channel.checkQueue(queue);
    await channel.close();
    return messageCount;
  } catch {
    return 0;
  }
}
