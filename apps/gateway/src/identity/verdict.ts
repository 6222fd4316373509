import type { Context } from '@weir/service';
import type { Asking } from './ask';
import type { Credential } from './credential';
import type { Names } from './names';

/**
 * What became of a question:
 * - `organization`: the credential is good, and somebody's;
 * - `nobody`: it is good, but names no organization;
 * - `refused`: it is not good;
 * - `failed`: nobody could say so in time;
 * - `skipped`: not asked, for too much is being asked or the other side does not answer.
 */
export const outcomes = ['organization', 'nobody', 'refused', 'failed', 'skipped'] as const;
export type Outcome = (typeof outcomes)[number];

export interface Verdict {
  outcome: Outcome;
  organization?: string | undefined;
  /** When the credential itself ends, milliseconds since 1970. */
  expires?: number | undefined;
}

/** A way to verify credentials. */
export interface Way {
  name: 'jwt' | 'introspection';
  /** Undefined for a credential that is not of this way. Takes no longer than a question may. */
  verify(credential: Credential): Promise<Verdict | undefined> | undefined;
}

/** What ways of verifying work with. */
export interface WayTools {
  ask: Asking['ask'];
  names: Names;
  log: Pick<Context['log'], 'info' | 'warn'>;
  /** Milliseconds since any moment. */
  now: () => number;
  /** Our own at the introspection endpoint, where its protocol asks for one. */
  clientSecret: string | undefined;
}

/** A good credential; `exp` as in RFC 7519 and RFC 7662, seconds. */
export function good(organization: string | undefined, exp: unknown): Verdict {
  return {
    outcome: organization === undefined ? 'nobody' : 'organization',
    organization,
    expires: typeof exp === 'number' ? exp * 1000 : undefined,
  };
}
