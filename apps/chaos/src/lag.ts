import type { SentEvent } from './events';
import type { HttpPublisher } from './http-publisher';
import type { Stream } from './journal';
import { STORE_NAMES, type StoreName, type Stores } from './oracle';
import { pause } from './wait';

/** How long events take from their acknowledgement until a store tells of them, measured while something else is broken. */
export interface LagWatch {
  /** Ends it; resolves with the largest lag of each store that was watched, seconds. */
  stop(): Promise<Partial<Record<StoreName, number>>>;
}

const PROBE_MS = 250;
const LOOK_MS = 40;

/**
 * Posts a pull every quarter of a second, and asks each store how many of them it has. The lag is the age of the oldest
 * acknowledged one that the store does not have.
 *
 * @param stream issues pulls of `organization` with a platform, all countable
 */
export function watchLag(options: {
  stream: Stream;
  organization: string;
  stores: Stores;
  http: HttpPublisher;
  watched?: readonly StoreName[];
}): LagWatch {
  const { stream, organization, stores, http, watched = STORE_NAMES } = options;
  const acknowledged: number[] = [];
  let stopping = false;

  const deliver = async (event: SentEvent): Promise<void> => {
    for (;;) {
      const taken = await http.post([event]).catch(() => undefined);
      if (taken?.taken.length === 1) break;
      await pause(100);
    }
    stream.acknowledge(event);
    acknowledged.push(performance.now());
  };
  const publishing = (async () => {
    while (!stopping) {
      await deliver(stream.issue());
      await pause(PROBE_MS);
    }
  })();

  const counts: Record<StoreName, () => Promise<number>> = {
    redis: async () => Number((await stores.redis.get(`pulls/o/${organization}`)) ?? 0),
    influx: () => stores.influx.count(stream.source),
    mongo: () => stores.mongo.count(stream.source),
  };
  const look = async (store: StoreName): Promise<number> => {
    let worst = 0;
    for (let had = -1; !stopping || had < acknowledged.length; await pause(LOOK_MS)) {
      const asked = performance.now(); // what arrives while we ask is not held against the store
      had = await counts[store]().catch(() => had);
      const oldest = acknowledged[Math.max(had, 0)];
      if (oldest !== undefined && oldest < asked) worst = Math.max(worst, asked - oldest);
      if (stopping && worst > 60_000) break;
    }
    return worst / 1000;
  };
  const looking = Promise.all(watched.map(async (store) => [store, await look(store)] as const));

  return {
    async stop() {
      stopping = true;
      await publishing;
      return Object.fromEntries(await looking);
    },
  };
}
