import { createHmac } from 'node:crypto';
import { dayOf, monthOf, type Secrets } from './secrets';

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
  of(address: string, at: Date): Promise<Pseudonym | undefined>;
}

const DAY_BYTES = 16;
const MONTH_BYTES = 3;

export function createPseudonyms(secrets: Secrets): Pseudonyms {
  return {
    async of(address, at) {
      const [day, month] = await Promise.all([secrets.of(dayOf(at)), secrets.of(monthOf(at))]);
      if (day?.bytes === undefined || month?.bytes === undefined) return undefined;
      return {
        day: hmac(day.bytes, address).toString('base64url', 0, DAY_BYTES),
        month: hmac(month.bytes, address).toString('hex', 0, MONTH_BYTES),
      };
    },
  };
}

const hmac = (secret: Buffer, text: string) => createHmac('sha256', secret).update(text).digest();
