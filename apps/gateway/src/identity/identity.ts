import { createHash } from 'node:crypto';

/** Tells whose credentials a request carries. */
export interface Identity {
  /**
   * The organization of verified credentials, in canonical form; undefined where they name nobody, or nobody could say
   * so in time. Never rejects: an organization that is not known is no reason not to count.
   */
  organizationOf(authorization: string | undefined): Promise<string | undefined>;
}

/** `organizations` maps the SHA-256 (hexadecimal) of a bearer token or of `user:password` to an organization. */
export function createIdentity(organizations: Readonly<Record<string, string>> = {}): Identity {
  const byHash = new Map(Object.entries(organizations));
  return {
    async organizationOf(authorization) {
      if (byHash.size === 0 || authorization === undefined) return undefined;
      const [scheme = '', value = ''] = authorization.split(/ +/, 2);
      const secret = scheme.toLowerCase() === 'basic' ? Buffer.from(value, 'base64') : Buffer.from(value);
      return byHash.get(createHash('sha256').update(secret).digest('hex'));
    },
  };
}
