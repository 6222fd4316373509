import { createHash, timingSafeEqual } from 'node:crypto';

export interface Account {
  name: string;
  /** SHA-256 of the password, 32 bytes. */
  passwordSha256: Buffer;
}

/**
 * Whether an `Authorization` header names an account and its password (HTTP Basic, RFC 7617, UTF-8).
 *
 * Compares digests of equal length with every account, whatever is found, so that the time it takes tells neither how
 * much of a password is right nor which names there are.
 */
export function mayRead(authorization: string | undefined, accounts: readonly Account[]): boolean {
  const [, encoded] = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(authorization ?? '') ?? [];
  const credentials = Buffer.from(encoded ?? '', 'base64').toString('utf8');
  const colon = credentials.indexOf(':');
  const name = sha256(credentials.slice(0, Math.max(colon, 0)));
  const password = sha256(credentials.slice(colon + 1));
  let found = false;
  for (const account of accounts) {
    const sameName = timingSafeEqual(name, sha256(account.name));
    const samePassword = timingSafeEqual(password, account.passwordSha256);
    found = (sameName && samePassword) || found;
  }
  return found && colon > 0;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
