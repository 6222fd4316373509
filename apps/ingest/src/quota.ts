import type { Publisher } from '@weir/bus';
import type { ApiKey } from './keys';

/** A key has used up what it may: how long it is to wait, and which limit it was. */
export interface Wait {
  seconds: number;
  limit: string;
}

/** What no key may take from the others (S27): events a second, and room in the spool while the broker is away. */
export interface Quota {
  /** Why the key has to wait; asked before anything of its request is read. */
  wait(key: ApiKey): Wait | undefined;
  /**
   * Counts a request in. What it returns is called once with the bytes that went to the spool.
   * Bytes that are on their way count as if they were there already: many requests at one time are no way around.
   */
  begin(key: ApiKey, request: { events: number; bytes: number }): Wait | ((spooledBytes: number) => void);
}

export interface QuotaOptions {
  /** For keys without a `rate=` of their own; 0 sets no limit. */
  eventsPerSecond: number;
  spoolBytes: number;
  /** The part of the spool that one key may fill. */
  spoolPercent: number;
  publisher: Pick<Publisher, 'ready' | 'depth'>;
  now?: () => number;
}

/** A key that was silent may send this many seconds' worth of events at once. */
const BURST_SECONDS = 10;
/** How long to wait for a spool that is drained: nobody knows when the broker comes back. */
const SPOOL_RETRY_SECONDS = 30;

export function createQuota(options: QuotaOptions): Quota {
  const { publisher, spoolBytes, spoolPercent } = options;
  const rates = createRates(options.eventsPerSecond, options.now ?? (() => performance.now()));
  const shares = createShares(spoolBytes, () => publisher.depth().spooledBytes);
  const onTheirWay = new Map<string, number>();
  const most = (spoolBytes * spoolPercent) / 100;

  const spoolWait = ({ name }: ApiKey, bytes: number): Wait | undefined => {
    if (spoolPercent >= 100 || (publisher.ready() === true && publisher.depth().spooledBytes === 0)) return undefined;
    if (shares.of(name) + (onTheirWay.get(name) ?? 0) + bytes <= most) return undefined;
    return { seconds: SPOOL_RETRY_SECONDS, limit: `one key may fill ${spoolPercent} % of the spool` };
  };
  const wait = (key: ApiKey, bytes: number): Wait | undefined => rates.wait(key) ?? spoolWait(key, bytes);

  return {
    wait: (key) => wait(key, 1),
    begin(key, { events, bytes }) {
      const toWait = wait(key, bytes);
      if (toWait) return toWait;
      rates.spend(key, events);
      const { name } = key;
      onTheirWay.set(name, (onTheirWay.get(name) ?? 0) + bytes);
      return (spooledBytes) => {
        onTheirWay.set(name, (onTheirWay.get(name) ?? 0) - bytes);
        if (spooledBytes > 0) shares.add(name, spooledBytes);
      };
    },
  };
}

/** Token buckets, one a key. A request is let in whole while there is anything left, and then has to be worked off. */
function createRates(byDefault: number, now: () => number) {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const rateOf = ({ eventsPerSecond }: ApiKey): number => eventsPerSecond ?? byDefault;

  const bucketOf = (key: ApiKey): { tokens: number; at: number } => {
    const rate = rateOf(key);
    const at = now();
    const bucket = buckets.get(key.name) ?? { tokens: rate * BURST_SECONDS, at };
    bucket.tokens = Math.min(rate * BURST_SECONDS, bucket.tokens + ((at - bucket.at) / 1000) * rate);
    bucket.at = at;
    buckets.set(key.name, bucket);
    return bucket;
  };

  return {
    wait(key: ApiKey): Wait | undefined {
      const rate = rateOf(key);
      if (rate === 0) return undefined;
      const { tokens } = bucketOf(key);
      if (tokens >= 1) return undefined;
      return { seconds: Math.ceil((1 - tokens) / rate), limit: `this key may send ${rate} events a second` };
    },
    spend(key: ApiKey, events: number): void {
      if (rateOf(key) > 0) bucketOf(key).tokens -= events;
    },
  };
}

/** Into how many slices the spool is told apart. */
const SLICES = 64;

/**
 * Whose the bytes in the spool are. It is drained from its oldest end, so what was put in first leaves first: slices of
 * it, oldest first, each knowing how much of it is whose, are forgotten when what is left must be younger. Too high by
 * one slice at most, never too low. What an earlier process left there is nobody's, and leaves before all else.
 */
function createShares(spoolBytes: number, spooled: () => number) {
  const slices: { bytes: number; of: Map<string, number> }[] = [];
  let known = 0;

  const forget = (): void => {
    const left = spooled();
    for (let oldest = slices[0]; oldest && known - oldest.bytes >= left; oldest = slices[0]) {
      known -= oldest.bytes;
      slices.shift();
    }
  };

  return {
    add(name: string, bytes: number): void {
      let last = slices.at(-1);
      if (!last || last.bytes >= spoolBytes / SLICES) slices.push((last = { bytes: 0, of: new Map() }));
      last.bytes += bytes;
      last.of.set(name, (last.of.get(name) ?? 0) + bytes);
      known += bytes;
      forget();
    },
    of(name: string): number {
      forget();
      return slices.reduce((sum, slice) => sum + (slice.of.get(name) ?? 0), 0);
    },
  };
}
