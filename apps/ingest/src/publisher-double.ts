import { SpoolError } from '@weir/bus';
import type { Published, Publisher } from '@weir/bus';
import type { WeirEvent } from '@weir/events';

/** A publisher that only remembers: the double for tests of the API itself. The real one has its own tests. */
export interface PublisherDouble extends Pick<Publisher, 'publishEncoded' | 'ready' | 'depth'> {
  events: WeirEvent[];
  /** How the next events are answered; an error refuses them as a full spool does. */
  answer(how: (event: WeirEvent) => Published | Error): void;
  /** The broker takes this many bytes, oldest first, out of the spool. */
  drain(bytes: number): void;
}

export function publisherDouble(): PublisherDouble {
  const events: WeirEvent[] = [];
  let spooledBytes = 0;
  let how: (event: WeirEvent) => Published | Error = () => 'confirmed';
  return {
    events,
    answer: (next) => void (how = next),
    drain: (bytes) => void (spooledBytes = Math.max(0, spooledBytes - bytes)),
    ready: () => (spooledBytes === 0 ? true : 'the broker is away'),
    depth: () => ({ inFlight: 0, spooledEvents: spooledBytes > 0 ? 1 : 0, spooledBytes, oldestSpooledSeconds: 0 }),
    publishEncoded: (batch) =>
      Promise.allSettled(
        batch.map(async ({ body }) => {
          const event = JSON.parse(body.toString()) as WeirEvent;
          const outcome = how(event);
          if (outcome instanceof Error) throw outcome;
          events.push(event);
          if (outcome === 'spooled') spooledBytes += body.length;
          return outcome;
        }),
      ),
  };
}

/** What the publisher throws when the disk takes nothing more. */
export const spoolFull = () => new SpoolError('The spool is full: 1048576 bytes are allowed', 'The spool is full');
