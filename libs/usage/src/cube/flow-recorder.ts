import type { WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { runScript } from '../script';
import { DAY_MINUTES, FLOW_DAYS, flowKey, flowSinceKey, formatReport, MINUTE_MS, outagesKey } from './flow-keys';

export const OUTAGE = 'io.weir.outage';

/** So many reports of outages are kept, the latest ones: a service that flaps must not fill the store. */
export const MOST_REPORTS = 2000;

/** Writes down what `createFlow` reads. The same again changes nothing. */
export interface FlowRecorder {
  /** The flow worked at this time, Unix ms; asks Redis once a minute only. */
  worked(at: number): Promise<void>;
  /** Keeps the reports of outages that are in a batch. */
  reported(batch: readonly WeirEvent[]): Promise<void>;
}

/** KEYS: the day, the first minute. ARGV: the minute of the day, when the day is forgotten, the minute since 1970. */
const workedScript = `
redis.call('SETBIT', KEYS[1], ARGV[1], 1)
redis.call('EXPIREAT', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'NX')
`;

export function createFlowRecorder({ redis, prefix }: { redis: Redis; prefix: string }): FlowRecorder {
  let last: number | undefined;
  return {
    async worked(at) {
      const minute = Math.floor(at / MINUTE_MS);
      if (minute === last) return;
      const day = Math.floor(minute / DAY_MINUTES);
      const until = (day + 1 + FLOW_DAYS) * DAY_MINUTES * 60;
      const args = [minute % DAY_MINUTES, until, minute].map(String);
      await runScript(redis, workedScript, [flowKey(prefix, day), flowSinceKey(prefix)], args);
      last = minute;
    },
    async reported(batch) {
      const reports = batch.filter(({ type }) => type === OUTAGE);
      if (reports.length === 0) return;
      const key = outagesKey(prefix);
      const scored = reports.flatMap((event) => [Date.parse(event.time), formatReport(event)]);
      await redis.zadd(key, ...scored).catch(explain(key));
      await redis.zremrangebyrank(key, 0, -MOST_REPORTS - 1);
    },
  };
}

const explain = (key: string) => (error: unknown) => {
  if (!(error as Error).message.startsWith('WRONGTYPE')) throw error;
  throw new Error(`Redis key ${key} is no sorted set. Rename or delete that key; the batch is tried again.`, {
    cause: error,
  });
};
