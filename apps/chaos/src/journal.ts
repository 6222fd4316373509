import type { SentEvent } from './events';
import { expectedKeys, isDayKey } from './expected';

/** What the journal knows of one Redis key. */
export interface KeyCount {
  /** Acknowledged events that add to it: the value can be no less. */
  must: number;
  /** Events that were issued but not acknowledged: each may be there or not. */
  may: number;
}

/** Events of one origin: numbered from 0, all with one `source`, so that every store can be asked for them. */
export interface Stream {
  readonly source: string;
  /** How many have been issued: numbers 0 to this are known to somebody outside. */
  readonly issued: number;
  readonly acknowledged: number;
  /** Acknowledged ones that count as usage, that is, that Redis must know of. */
  readonly acknowledgedUsage: number;
  /** Makes the next event. From now on a store may hold it. */
  issue(): SentEvent;
  /** An edge has taken it (202, or the broker's confirm): from now on every store must come to hold it. */
  acknowledge(event: SentEvent): void;
  /** When it was acknowledged first, of `performance.now()`; undefined when it has not been. */
  acknowledgedAt(number: number): number | undefined;
  event(number: number): SentEvent;
}

/** Every identity that was ever issued, and every one that an edge has acknowledged. Grows for as long as a system lives. */
export interface Journal {
  open(source: string, make: (number: number) => SentEvent): Stream;
  readonly streams: ReadonlyMap<string, Stream>;
  /** Redis key → how often it must and may have been counted, over all streams. */
  readonly keys: ReadonlyMap<string, KeyCount>;
}

export function createJournal(): Journal {
  const streams = new Map<string, Stream>();
  const keys = new Map<string, KeyCount>();
  const countOf = (key: string): KeyCount => {
    let count = keys.get(key);
    if (!count) keys.set(key, (count = { must: 0, may: 0 }));
    return count;
  };

  const open: Journal['open'] = (source, make) => {
    if (streams.has(source)) throw new Error(`The stream ${source} is open already.`);
    const acknowledgedAt = new Map<number, number>();
    let issued = 0;
    let usage = 0;
    const stream: Stream = {
      source,
      get issued() {
        return issued;
      },
      get acknowledged() {
        return acknowledgedAt.size;
      },
      get acknowledgedUsage() {
        return usage;
      },
      issue() {
        const event = make(issued);
        issued += 1;
        for (const key of expectedKeys(event)) countOf(key).may += 1;
        return event;
      },
      acknowledge(event) {
        const number = numberOf(event);
        if (event.source !== source || number >= issued) throw new Error(`${event.id} was not issued by ${source}.`);
        if (acknowledgedAt.has(number)) return;
        acknowledgedAt.set(number, performance.now());
        const touched = expectedKeys(event);
        for (const key of touched) {
          const count = countOf(key);
          count.may -= 1;
          count.must += 1;
        }
        if (touched.some(isDayKey)) usage += 1;
      },
      acknowledgedAt: (number) => acknowledgedAt.get(number),
      event: make,
    };
    streams.set(source, stream);
    return stream;
  };
  return { open, streams, keys };
}

/** The number that an event's id begins with. */
export function numberOf({ id }: Pick<SentEvent, 'id'>): number {
  return Number(/^(\d+)-/.exec(id)?.[1] ?? NaN);
}
