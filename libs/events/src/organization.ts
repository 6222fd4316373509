import { domainToASCII } from 'node:url';
import type { WeirEvent } from './event';
import { memo } from './memo';

/**
 * The organization that the event counts for, in canonical form, or undefined for an anonymous one.
 *
 * `data.user.organization` where a publisher has verified it, else the domain of `data.user.email` (seed 000). Case is
 * folded and international domain names become A-labels, so that `User@ORG1.com` and `org1.com` are one organization
 * (the peer keeps them apart: reference usage-metrics 1.3). An address without exactly one `@` names nobody.
 */
export function organizationOf(event: Pick<WeirEvent, 'data'>): string | undefined {
  const user = event.data['user'];
  if (typeof user !== 'object' || user === null) return undefined;
  const { organization, email } = user as { organization?: unknown; email?: unknown };
  if (typeof organization === 'string' && organization.trim() !== '') return canonicalName(organization);
  return typeof email === 'string' ? organizationOfEmail(email) : undefined;
}

/** The organization of an e-mail address: its domain in canonical form, or undefined when it is no address. */
export function organizationOfEmail(email: string): string | undefined {
  const at = email.indexOf('@');
  return at < 1 || at !== email.lastIndexOf('@') ? undefined : canonicalDomain(email.slice(at + 1));
}

const canonicalDomain = memo((text: string): string | undefined => {
  const domain = domainToASCII(text.trim().replace(/\.$/, '')).toLowerCase();
  return /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(domain) && domain.length <= 253 ? domain : undefined;
});

const canonicalName = memo((organization: string): string | undefined => {
  const name = organization.normalize('NFC').trim().toLowerCase();
  return name.length <= 253 ? name : undefined;
});
