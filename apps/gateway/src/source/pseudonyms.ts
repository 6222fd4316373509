import { createHmac } from 'node:crypto';
import { dayOf, monthOf, type Period, type Secrets } from './secrets';
import { soon, type Soon } from '../soon';

/** `source` of an event's data: the same for requests of one address, and of no use without the secrets. */
export interface Pseudonym {
  /** 128 bits: one address, one value, for one day of UTC. */
  day: string;
  /**
   * 24 bits, for one month of UTC. Some 256 addresses of IPv4 share each value, so that the secret of a month, which
   * lives longer, leads nobody from a value to an address.
   */
  month: string;
}

export interface Pseudonyms {
  /** As of the time of the event, not of now; undefined when the day has been over for so long that its secret is gone. */
  of(address: string, at: Date): Soon<Pseudonym | undefined>;
}

const DAY_BYTES = 16;
const MONTH_BYTES = 3;

const ONE_DAY_MS = 24 * 3600_000;

export function createPseudonyms(secrets: Secrets): Pseudonyms {
  let latest: { number: number; day: Period; month: Period } | undefined;

  function periodsOf(at: Date): { day: Period; month: Period } {
    const number = Math.floor(at.getTime() / ONE_DAY_MS);
    if (latest?.number !== number) latest = { number, day: dayOf(at), month: monthOf(at) };
    return latest;
  }

  return {
    of(address, at) {
      const periods = periodsOf(at);
      const both = [secrets.of(periods.day), secrets.of(periods.month)] as const;
      return soon(both[0], (day) =>
        soon(both[1], (month) => {
          if (day?.bytes === undefined || month?.bytes === undefined) return undefined;
          return {
            day: hmac(day.bytes, address).toString('base64url', 0, DAY_BYTES),
            month: hmac(month.bytes, address).toString('hex', 0, MONTH_BYTES),
          };
        }),
      );
    },
  };
}

// Made anew each time: to remember it, the address would have to be kept.
const hmac = (secret: Buffer, address: string) => createHmac('sha256', secret).update(address).digest();
