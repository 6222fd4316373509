import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Context } from '@weir/service';
import { createLru } from '../lru';
import type { Metrics } from '../metrics';
import { createAsking, placeOf } from './ask';
import { credentialOf, type Credential } from './credential';
import type { IdentityRules } from './identity-file';
import { createIntrospection } from './introspection';
import { createJwt } from './jwt';
import { createNames } from './names';
import type { Outcome, Verdict, Way, WayTools } from './verdict';

/** Tells whose credentials a request carries. */
export interface Identity {
  /**
   * The organization of verified credentials, in canonical form; undefined where they name nobody, or nobody could say
   * so in time. Never rejects: an organization that is not known is no reason not to count.
   */
  organizationOf(authorization: string | undefined): Promise<string | undefined>;
}

export interface IdentityTools {
  metrics: Pick<Metrics, 'identityQuestions'>;
  log: Pick<Context['log'], 'info' | 'warn' | 'error'>;
  /** Our own at the introspection endpoint, where its protocol asks for one. */
  clientSecret?: string | undefined;
  /** Milliseconds since any moment. */
  now?: () => number;
}

const MAX_REMEMBERED = 10_000;
const MAX_BEING_VERIFIED = 1_000;
const REFUSED_MS = 30_000;
const FAILED_MS = 2_000;

/**
 * Tries, in this order: the credentials that are listed, JSON Web Tokens, introspection. What was found out is remembered
 * by a hash with a key of this process, never by the credential, and no longer than that is good for.
 */
export function createIdentity(rules: IdentityRules, tools: IdentityTools): Identity & { close(): Promise<void> } {
  const { metrics, log, now = () => performance.now() } = tools;
  const asking = createAsking({ timeoutMs: rules.timeoutMs });
  const names = createNames(rules);
  const ways = waysOf(rules, { ask: asking.ask, names, now, log, clientSecret: tools.clientSecret });

  const key = randomBytes(32);
  const hidden = (text: string): string => createHmac('sha256', key).update(text).digest('base64url');
  // Looked up by a hash that nobody outside can steer: how long that takes says nothing of what is listed.
  const listed = new Map(Object.entries(rules.organizations).map(([hash, name]) => [hidden(hash), names.meant(name)]));

  /** Apart, so that credentials which somebody makes up push no good one out. */
  const members = createLru<Remembered>(MAX_REMEMBERED);
  const strangers = createLru<Remembered>(MAX_REMEMBERED);
  const beingVerified = new Map<string, Promise<Verdict>>();

  const count = (way: Way['name'] | 'organizations' | 'memory' | 'none', outcome: Outcome): void =>
    metrics.identityQuestions.inc({ way, outcome });

  function recall(id: string): Verdict | undefined {
    const found = members.get(id) ?? strangers.get(id);
    return found !== undefined && now() < found.until ? found.verdict : undefined;
  }

  function remember(id: string, verdict: Verdict): void {
    const lasts = Math.min(
      lifetimeOf(verdict.outcome, rules.ttlSeconds * 1000),
      (verdict.expires ?? Infinity) - Date.now(),
    );
    if (lasts <= 0) return;
    const isGood = verdict.outcome === 'organization' || verdict.outcome === 'nobody';
    (isGood ? strangers : members).delete(id);
    (isGood ? members : strangers).set(id, { verdict, until: now() + lasts });
  }

  async function verify(id: string, credential: Credential): Promise<Verdict> {
    for (const way of ways) {
      const verdict = await way.verify(credential);
      if (verdict === undefined) continue;
      count(way.name, verdict.outcome);
      remember(id, verdict);
      return verdict;
    }
    count('none', 'refused');
    return { outcome: 'refused' };
  }

  /** One question for all who ask the same at the same time. */
  async function verdictOn(id: string, credential: Credential): Promise<Verdict> {
    const running = beingVerified.get(id);
    const known = recall(id) ?? (running && (await running));
    if (known !== undefined) {
      count('memory', known.outcome);
      return known;
    }
    if (beingVerified.size >= MAX_BEING_VERIFIED) {
      count('none', 'skipped');
      return { outcome: 'skipped' };
    }
    const question = verify(id, credential).finally(() => beingVerified.delete(id));
    beingVerified.set(id, question);
    return question;
  }

  return {
    async organizationOf(authorization) {
      if (authorization === undefined || (listed.size === 0 && ways.length === 0)) return undefined;
      const credential = credentialOf(authorization);
      if (credential === undefined) return undefined;
      const organization = listed.get(hidden(createHash('sha256').update(credential.secret, 'latin1').digest('hex')));
      if (organization !== undefined) {
        count('organizations', 'organization');
        return organization;
      }
      try {
        return (await verdictOn(hidden(`${credential.scheme} ${credential.secret}`), credential)).organization;
      } catch (error) {
        log.error({ reason: (error as Error).name }, 'a credential could not be verified');
        return undefined;
      }
    },
    close: asking.close,
  };
}

interface Remembered {
  verdict: Verdict;
  /** By the clock of `now`. */
  until: number;
}

function waysOf({ jwt = [], introspection }: IdentityRules, tools: WayTools): Way[] {
  for (const url of [...jwt.map(({ jwksUrl }) => jwksUrl), ...(introspection ? [introspection.url] : [])])
    if (isOpen(new URL(url)))
      tools.log.warn({ url: placeOf(url) }, 'identities are asked for without TLS: anybody on the way can forge them');
  return [
    ...(jwt.length > 0 ? [createJwt(jwt, tools)] : []),
    ...(introspection ? [createIntrospection(introspection, tools)] : []),
  ];
}

const isOpen = ({ protocol, hostname }: URL): boolean =>
  protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

function lifetimeOf(outcome: Outcome, ttlMs: number): number {
  switch (outcome) {
    case 'organization':
    case 'nobody':
      return ttlMs;
    case 'refused':
      return Math.min(REFUSED_MS, ttlMs);
    case 'failed':
      return FAILED_MS;
    case 'skipped':
      return 0;
  }
}
