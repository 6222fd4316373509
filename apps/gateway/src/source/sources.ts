import { hash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { soon, type Soon } from '../soon';
import type { AddressOf } from './client-address';
import type { Location, Network } from './location';
import type { Pseudonym, Pseudonyms } from './pseudonyms';
import type { Asked, Pattern, Rhythm } from './rhythm';
import { recordedOf, type DoNotTrack } from './tracking';

/** Who sent a request, as far as counting may know it. The address itself stays in this folder, and in memory. */
export interface ClientSource {
  /** The same for requests of one client program on one host; made with a key of this process, it never leaves it. */
  key: string;
  /** False when the client wants it so: the request is answered, and no event tells of it. */
  counted: boolean;
  /**
   * What an event of this request may say of its source: `source`, `country`, `network`, `pattern` of the event's
   * `data`. Takes a second at most and never rejects.
   */
  facts(): Soon<SourceFacts>;
}

/** Of the event's `data`; what is not known, or not told, is undefined. */
export interface SourceFacts {
  source?: Pseudonym | undefined;
  country?: string | undefined;
  network?: Network | undefined;
  pattern?: Pattern | undefined;
}

/** Tells who sends requests. */
export interface Sources {
  /** A request for a manifest is `asked`: it takes part in the rhythm of its source. */
  of(request: IncomingMessage, asked?: Asked): ClientSource;
}

export interface SourcesOptions {
  addressOf: AddressOf;
  doNotTrack: DoNotTrack;
  /** What is told of sources; absent: nothing. */
  told?: { pseudonyms: Pseudonyms; location: Location; rhythm: Rhythm } | undefined;
}

const MAX_USER_AGENT = 512;
const NOTHING = {};

export function createSources({ addressOf, doNotTrack, told }: SourcesOptions): Sources {
  const salt = randomBytes(16).toString('base64url');
  const keyOf = (text: string) => hash('sha256', salt + text, 'base64url').slice(0, 22);

  return {
    of(request, asked) {
      const address = addressOf(request);
      const key = keyOf(`${address}\n${request.headers['user-agent']?.slice(0, MAX_USER_AGENT)}`);
      const recorded = recordedOf(request.headers, doNotTrack);
      if (recorded !== 'all' || told === undefined)
        return { key, counted: recorded !== 'nothing', facts: () => NOTHING };

      const { pseudonyms, location, rhythm } = told;
      const pattern: Pattern | undefined = asked && rhythm.note(keyOf(address), asked);
      return {
        key,
        counted: true,
        facts() {
          const source = address === 'unknown' ? undefined : pseudonyms.of(address, asked?.at ?? new Date());
          const { country, network } = location.of(address);
          return soon(source, (known) => ({ source: known, country, network, pattern }));
        },
      };
    },
  };
}
