import { domainToASCII } from 'node:url';
import type { WeirEvent } from './event';
import { freeMailDomains } from './free-mail';
import { memo } from './memo';

/**
 * The organization that the event counts for, in canonical form, or undefined for an anonymous one.
 *
 * `data.user.organization` where a publisher has verified it, taken as given, else that of `data.user.email` (seed 000).
 */
export function organizationOf(event: Pick<WeirEvent, 'data'>): string | undefined {
  const user = event.data['user'];
  if (typeof user !== 'object' || user === null) return undefined;
  const { organization, email } = user as { organization?: unknown; email?: unknown };
  if (typeof organization === 'string' && organization.trim() !== '') return canonicalName(organization);
  return typeof email === 'string' ? organizationOfEmail(email) : undefined;
}

/** RFC 5321, 4.5.3.1: a local part of 64, a path of 256 with its angle brackets. */
const MAX_LOCAL = 64;
const MAX_ADDRESS = 254;
const MAX_NAME = 253;

/**
 * The organization of an e-mail address: its domain in canonical form, sub-domains and all, as the peer has it (reference
 * usage-metrics 1.3). Undefined for what is no address and for a domain that many strangers share, one of `freeMail`.
 *
 * Unlike the peer, `User@ORG1.com.` and `org1.com` are one organization, and an address has exactly one `@`: a quoted
 * local part, which could have another, names nobody.
 */
export function organizationOfEmail(
  email: string,
  freeMail: ReadonlySet<string> = freeMailDomains,
): string | undefined {
  const address = email.trim();
  const at = address.indexOf('@');
  if (address.length > MAX_ADDRESS || at < 1 || at > MAX_LOCAL || !isLocalPart(address.slice(0, at))) return undefined;
  const domain = canonicalDomain(address.slice(at + 1));
  return domain === undefined || freeMail.has(domain) ? undefined : domain;
}

/** RFC 5322, 3.2.3, without insisting where its dots are: some large providers do not either. */
const isLocalPart = (text: string): boolean => !/[\s\p{Cc}"(),:;<>@[\\\]]/u.test(text);

/**
 * The domain in lower case, with A-labels, without a final dot. Undefined for what is no domain of a public mail server:
 * a name without a dot, an IP address, labels against their grammar (RFC 1123, 2.1).
 */
export const canonicalDomain = memo((text: string): string | undefined => {
  // The conversion is made for URLs: it would decode percent signs and stop at a slash.
  if (text.length > MAX_NAME + 1 || /[^a-z0-9.\-\u0080-\u{10ffff}]/iu.test(text)) return undefined;
  const domain = domainToASCII(text).replace(/\.$/, '');
  return domain.length <= MAX_NAME &&
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/.test(domain)
    ? domain
    : undefined;
});

/** The name of an organization as a publisher has verified it, in the form under which it is counted. */
export const canonicalName = memo((organization: string): string | undefined => {
  const name = organization.normalize('NFC').trim().toLowerCase();
  return name.length <= MAX_NAME ? name : undefined;
});
