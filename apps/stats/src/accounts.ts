import { createHash, timingSafeEqual } from 'node:crypto';

/** Who asks, and what may be told. */
export interface Reader {
  name: string;
  /** Canonical name of the one organization whose numbers may be told; absent: everybody's. */
  organization?: string;
}

export interface User extends Reader {
  /** SHA-256 of the password, 32 bytes. */
  passwordSha256: Buffer;
}

/** A bearer key is not asked for a name: it has one for the log only. */
export interface Key extends Reader {
  /** SHA-256 of the key, 32 bytes. */
  keySha256: Buffer;
}

export type Account = User | Key;

/**
 * Whom an `Authorization` header names: a user and the password (HTTP Basic, RFC 7617, UTF-8), or a bearer key
 * (RFC 6750, 2.1). Undefined for nobody.
 *
 * Compares digests of equal length with every account, whatever is found, so that the time it takes tells neither how
 * much of a secret is right nor which names there are.
 */
export function readerOf(authorization: string | undefined, accounts: readonly Account[]): Reader | undefined {
  const isNamed = namedBy(authorization ?? '');
  let found: Account | undefined;
  for (const account of accounts) if (isNamed(account)) found = account;
  if (found === undefined) return undefined;
  const { name, organization } = found;
  return organization === undefined ? { name } : { name, organization };
}

function namedBy(authorization: string): (account: Account) => boolean {
  const [, scheme = '', token = ''] = /^(basic|bearer) (.*)$/i.exec(authorization) ?? [];
  const secret = token.trim();
  if (scheme.toLowerCase() === 'bearer') {
    const key = sha256(secret);
    return (account) => 'keySha256' in account && timingSafeEqual(key, account.keySha256) && secret !== '';
  }
  const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(secret);
  const credentials = Buffer.from(isBase64 ? secret : '', 'base64').toString('utf8');
  const colon = credentials.indexOf(':');
  const name = sha256(credentials.slice(0, Math.max(colon, 0)));
  const password = sha256(credentials.slice(colon + 1));
  return (account) => {
    if (!('passwordSha256' in account)) return false;
    const sameName = timingSafeEqual(name, sha256(account.name));
    const samePassword = timingSafeEqual(password, account.passwordSha256);
    return sameName && samePassword && colon > 0;
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
