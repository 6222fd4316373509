import { createEvent, newId, type WeirEvent } from '@weir/events';
import type { Logger } from 'pino';
import type { Episode, EpisodeFile, Episodes } from './episode-file';

/**
 * Tells of a publisher's emergencies: when its events had to wait in the spool, it publishes afterwards that it was cut
 * off, as two `io.weir.outage` events, so that whoever reads numbers of that time knows how they came.
 */
export interface Emergency {
  /** To be called first, with what an earlier process has left in the spool. */
  begin(left: { events: number; since: number | undefined }): Promise<void>;
  /** So many events have gone into the spool. */
  spooled(events: number): void;
  /** The broker takes events, and has all that was in the spool. */
  drained(): void;
  /** Ends it; what is not told yet is told by the next process. */
  close(): Promise<void>;
}

export interface EmergencyOptions {
  /** Who is cut off, as the source of events and the name of a service: `weir/ingest`. */
  source: string;
  file: EpisodeFile;
  publish(event: WeirEvent): Promise<unknown>;
  log: Logger;
  /** Only what lasts so long is told, milliseconds. */
  shortestMs: number;
  /** Unix ms. */
  now?: () => number;
}

/** No number is wrong for longer than that, and a broker that comes and goes must not fill the stores. */
export const SHORTEST_MS = 60_000;
/** What is over sooner never touches the disk. */
const SETTLE_MS = 5000;
/** Of those that could not be told, the last ones are kept. */
const MOST_ENDED = 10;

export function createEmergency(options: EmergencyOptions): Emergency {
  const { source, file, publish, log, shortestMs, now = Date.now } = options;
  let open: Episode | undefined;
  let ended: Episodes['ended'] = [];
  let settling: NodeJS.Timeout | undefined;
  let telling: Promise<void> | undefined;
  let stopped = false;

  let onDisk = '';
  let saving: Promise<void> = Promise.resolve();
  const save = (): Promise<void> => {
    saving = saving.then(async () => {
      const episodes = open || ended.length > 0 ? { open, ended } : undefined;
      const text = episodes ? JSON.stringify(episodes) : '';
      if (text === onDisk) return;
      await file.write(episodes).then(() => (onDisk = text), complain('an emergency could not be written down'));
    });
    return saving;
  };
  const complain = (what: string) => (error: unknown) => log.warn({ err: error }, what);

  const start = (since: number, events: number): void => {
    open = { id: newId(), since, events };
    settling = setTimeout(() => void save(), SETTLE_MS).unref();
  };

  const tell = async (): Promise<void> => {
    try {
      do {
        await save(); // before it is told: another process would tell the same, under the same identities
        const [next] = ended;
        if (!next) continue;
        // Its end first: an end alone says nothing, a beginning alone would be an emergency that goes on.
        for (const state of ['up', 'down'] as const) await publish(reportOf(next, state, source));
        log.info(
          { since: new Date(next.since), until: new Date(next.until), events: next.events },
          'told of an emergency',
        );
        ended = ended.filter((each) => each !== next);
        await save();
      } while (ended.length > 0 && !stopped);
    } catch (error) {
      log.warn({ err: error }, 'an emergency could not be told of: trying again when the spool has been drained again');
    }
    telling = undefined;
  };

  return {
    async begin({ events, since }) {
      const found = await file.read().catch(complain('what was written down of emergencies cannot be read'));
      if (found) onDisk = JSON.stringify(found);
      ({ open, ended = [] } = found ?? { ended: [] });
      if (open) open.events = Math.max(open.events, events);
      else if (events > 0) start(Math.floor(since ?? now()), events);
    },
    spooled(events) {
      if (open) open.events += events;
      else start(now(), events);
    },
    drained() {
      clearTimeout(settling);
      const until = now();
      if (open && until - open.since >= shortestMs) ended = [...ended, { ...open, until }].slice(-MOST_ENDED);
      open = undefined;
      telling ??= tell();
    },
    async close() {
      stopped = true;
      await telling;
      clearTimeout(settling);
      await save();
    },
  };
}

function reportOf({ id, since, until, events }: Episodes['ended'][number], state: 'up' | 'down', source: string) {
  const data = { service: source, state, outage: id, reason: 'spooled', events };
  return createEvent('io.weir.outage', data, { source, id: `${id}-${state}`, time: new Date(state === 'up' ? until : since) }); // prettier-ignore
}
