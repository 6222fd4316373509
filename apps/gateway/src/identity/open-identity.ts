import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '@weir/service';
import { createIdentity, type Identity, type IdentityTools } from './identity';
import type { IdentityRules } from './identity-file';

/** The identity that the rules ask for, kept over changes of the rules. */
export interface Identities {
  /**
   * The same as before, with all that it remembers, where nothing changes for it. Otherwise a new one; the one before
   * still tells about the requests that came under its rules.
   *
   * @throws ConfigError when the rules need a secret that is not there; nothing has changed then.
   */
  under(rules: IdentityRules): Identity;
  close(): Promise<void>;
}

/** Longer than any request waits to be counted. */
const LAST_QUESTIONS_MS = 60_000;

/** @throws ConfigError when the rules need a secret that is not there. */
export function needSecret({ introspection }: IdentityRules, clientSecret: string | undefined): void {
  if (introspection?.protocol !== 'rfc7662' || clientSecret !== undefined) return;
  const message = 'is missing: identity.introspection of RULES_FILE names a clientId';
  throw new ConfigError([{ variable: 'INTROSPECTION_CLIENT_SECRET', message }]);
}

export function openIdentities(tools: IdentityTools): Identities {
  let current: { rules: IdentityRules; identity: ReturnType<typeof createIdentity> } | undefined;
  const former = new Set<ReturnType<typeof createIdentity>>();

  function retire(identity: ReturnType<typeof createIdentity>): void {
    former.add(identity);
    const end = () => void identity.close().finally(() => former.delete(identity));
    setTimeout(end, LAST_QUESTIONS_MS).unref();
  }

  return {
    under(rules) {
      if (current !== undefined && isDeepStrictEqual(current.rules, rules)) return current.identity;
      needSecret(rules, tools.clientSecret);
      const identity = createIdentity(rules, tools);
      if (current !== undefined) retire(current.identity);
      current = { rules, identity };
      return identity;
    },
    async close() {
      await Promise.all([...former, ...(current === undefined ? [] : [current.identity])].map((each) => each.close()));
    },
  };
}
