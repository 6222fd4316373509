import type { WeirEvent } from '@weir/events';

/** A publisher in memory, for tests: remembers what it was given, and refuses as a full spool does when told to. */
export interface PublisherDouble {
  events: WeirEvent[];
  /** Makes `publish` reject until it is set back to undefined. */
  refusal: Error | undefined;
  publish(event: WeirEvent): Promise<'confirmed'>;
}

export function publisherDouble(): PublisherDouble {
  const double: PublisherDouble = {
    events: [],
    refusal: undefined,
    async publish(event) {
      if (double.refusal) throw double.refusal;
      // A copy, as the broker has one: what the service does to its records later changes nothing here.
      double.events.push(structuredClone(event));
      return Promise.resolve('confirmed');
    },
  };
  return double;
}
