import type { IssuerRules } from './identity-file';
import { createKeys, KeysUnavailable } from './keys';
import { good, type Verdict, type Way, type WayTools } from './verdict';

/** Signatures that only the issuer can make: no `none`, and no HMAC, whose key would be the public one. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const CLOCK_TOLERANCE_SECONDS = 30;
/** Ten megabytes of memory, for those who have such tokens. */
const jose = () => import('jose');

/**
 * Verifies JSON Web Tokens of the issuers that are listed, as bearer tokens or in the place of a password. `iss` chooses
 * the issuer, whose keys come from the URL that is configured for it: `jku`, `x5u` and `jwk` of a token mean nothing.
 */
export function createJwt(issuers: readonly IssuerRules[], tools: WayTools): Way {
  const byName = new Map(issuers.map((rules) => [rules.issuer, { rules, keys: createKeys(rules.jwksUrl, tools) }]));

  async function verifyAs(
    token: string,
    { rules, keys }: NonNullable<ReturnType<typeof byName.get>>,
  ): Promise<Verdict> {
    const { jwtVerify } = await jose();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: rules.issuer,
        audience: rules.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['exp'],
      });
      return good(tools.names.of(payload, rules.namedBy), payload.exp);
    } catch (error) {
      return { outcome: error instanceof KeysUnavailable ? 'failed' : 'refused' };
    }
  }

  return {
    name: 'jwt',
    async verify({ token }) {
      const issuer = byName.get((await issuerOf(token)) ?? '');
      return issuer && verifyAs(token, issuer);
    },
  };
}

/** Who claims to have made the token; undefined for what is none. */
async function issuerOf(token: string): Promise<string | undefined> {
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) return undefined;
  try {
    return (await jose()).decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}
