import { hash } from 'node:crypto';

/**
 * The event's identity in 16 bytes. Two deliveries with one (`source`, `id`) are one event everywhere; two different
 * pairs never share an identity (CloudEvents 1.0.2: "source + id is unique for each distinct event").
 *
 * SHA-256 over both strings, each behind its length so that ("a", "bc") and ("ab", "c") differ, cut to 128 bits:
 * at 10^12 remembered events the chance of any collision is below 10^-14.
 */
export function identityOf(event: { source: string; id: string }): Buffer {
  return Buffer.from(identityHex(event), 'hex');
}

/** {@link identityOf} as 32 hexadecimal digits: for many in one buffer. */
export function identityHex(event: { source: string; id: string }): string {
  // One call and a string: a third of the time of a hash object, and no garbage of its own.
  return hash('sha256', `${event.source.length}:${event.source}${event.id}`).slice(0, 32);
}

/** {@link identityOf} as text: base64url, 22 characters. For document ids and fields. */
export function identityKey(event: { source: string; id: string }): string {
  return identityOf(event).toString('base64url');
}
