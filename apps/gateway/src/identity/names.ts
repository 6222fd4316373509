import { canonicalName, freeMailDomains, organizationOfEmail } from '@weir/events';
import type { IdentityRules, NamedBy } from './identity-file';

/** Makes organizations of what has been verified. */
export interface Names {
  /** The organization that claims name, or undefined. An address that its issuer calls unverified names nobody. */
  of(claims: unknown, by: NamedBy): string | undefined;
  /** The organization that is meant by a name. */
  meant(name: string): string;
}

export function createNames({ aliases, freeMail }: Pick<IdentityRules, 'aliases' | 'freeMail'>): Names {
  const meantBy = new Map(Object.entries(aliases));
  const removed = new Set(freeMail.remove);
  const shared = new Set([...freeMailDomains, ...freeMail.add].filter((domain) => !removed.has(domain)));
  const meant = (name: string): string => meantBy.get(name) ?? name;

  function verifiedName(claims: unknown, { as, path }: NamedBy): string | undefined {
    const text = valueAt(claims, path);
    if (typeof text !== 'string') return undefined;
    if (as === 'organization') return canonicalName(text);
    // Some issuers write the flag as a text.
    const verified = valueAt(claims, [...path.slice(0, -1), 'email_verified']);
    return verified === false || verified === 'false' ? undefined : organizationOfEmail(text, shared);
  }

  return {
    of(claims, by) {
      const name = verifiedName(claims, by);
      return name === undefined || name === '' ? undefined : meant(name);
    },
    meant,
  };
}

function valueAt(claims: unknown, path: readonly string[]): unknown {
  let value = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
