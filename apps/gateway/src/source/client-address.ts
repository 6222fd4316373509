import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { subscriberOf } from '../addresses';

/**
 * Where a request comes from, in one form for all spellings: `192.0.2.1`, or the /64 of an IPv6 address,
 * `2001:db8:0:1::/64`, for that is what one customer gets; `unknown` when the connection is gone already. For use in
 * memory only: it must not reach an event, a log line, a metric or a store.
 */
export type AddressOf = (request: Pick<IncomingMessage, 'socket' | 'headers'>) => string;

/** The longest that an entry of X-Forwarded-For can be and mean anything: `[IPv6%zone]:65535`. */
const MAX_ENTRY = 80;

/**
 * Each proxy writes the address that it was called from at the right end of `X-Forwarded-For`, and the last one is seen
 * as the connection's own. So behind `trustedProxies` of them the client is the entry so many from the right; what
 * stands left of it was written by the client itself or by nobody knows whom. Where that entry is missing or is no
 * address, the connection's address counts: the request did not come the way it should. No other header is looked at.
 */
export function createAddressOf(trustedProxies: number): AddressOf {
  return ({ socket, headers }) => {
    const forwarded = trustedProxies > 0 && fromTheRight(String(headers['x-forwarded-for'] ?? ''), trustedProxies);
    return (forwarded && canonical(forwarded)) || canonical(socket.remoteAddress ?? '') || 'unknown';
  };
}

/** The n-th item of a comma list, counted from its end. Looks at no more of the list than that. */
function fromTheRight(list: string, n: number): string | undefined {
  let end = list.length;
  for (let left = n; ; left -= 1) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1);
    if (left === 1) return list.slice(comma + 1, end).trim();
    if (comma < 0) return undefined;
    end = comma;
  }
}

/** @returns undefined for what is no address. */
function canonical(text: string): string | undefined {
  if (text.length > MAX_ENTRY) return undefined;
  if (isIP(text) === 4) return text;
  const address = withoutPort(text);
  return isIP(address) === 0 ? undefined : subscriberOf(address);
}

/** `192.0.2.1:443`, `[2001:db8::1]`, `[2001:db8::1]:443`. */
function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text);
  if (bracketed) return bracketed[1] ?? '';
  const colon = text.indexOf(':');
  const onlyColon = colon > 0 && text.indexOf(':', colon + 1) < 0;
  return onlyColon && /^\d{1,5}$/.test(text.slice(colon + 1)) ? text.slice(0, colon) : text;
}
