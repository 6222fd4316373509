/** What a request shows of its client, for those who verify it. */
export interface Credential {
  /** How it was shown. */
  scheme: 'bearer' | 'basic';
  /** A bearer token, or `user:password`; a character for each byte, so that no two are one. */
  secret: string;
  /** A bearer token, or the password: registries take tokens in its place. */
  token: string;
}

/** Beyond it nothing is looked at; the headers of a request are 16 KiB at most. */
const MAX_LENGTH = 8 * 1024;

/** The credential of an `Authorization` header; undefined for schemes other than Bearer and Basic, and for nonsense. */
export function credentialOf(authorization: string): Credential | undefined {
  if (authorization.length > MAX_LENGTH) return undefined;
  const [scheme = '', value = ''] = authorization.split(/ +/, 2);
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return value === '' ? undefined : { scheme: 'bearer', secret: value, token: value };
    case 'basic': {
      const secret = Buffer.from(value, 'base64').toString('latin1');
      const colon = secret.indexOf(':');
      return colon < 0 ? undefined : { scheme: 'basic', secret, token: secret.slice(colon + 1) };
    }
    default:
      return undefined;
  }
}
