import { createHash } from 'node:crypto';
import { FUSION_LABEL } from './images';

/** The organizations of the demo, from the names that are reserved for examples (RFC 2606). */
export const ORGANIZATIONS = ['example.com', 'example.org', 'example.net'] as const;
export type Organization = (typeof ORGANIZATIONS)[number];

/** How somebody of an organization logs in to pull. No secret: the demo's registry takes anybody. */
export function loginOf(organization: Organization): string {
  return `demo:${organization}`;
}

/**
 * The gateway's rules for the demo: its images come from its own registry, everything else from the user's, where
 * there is one; the label says which image uses Fusion; three logins stand for an organization each.
 */
export function demoRules(registry: string, upstream: string | undefined): object {
  const own = { image: upstream === undefined ? '**' : 'demo/**', upstream: 'demo', fusion: { label: FUSION_LABEL } };
  return {
    upstreams: { demo: { url: registry }, ...(upstream === undefined ? {} : { upstream: { url: upstream } }) },
    rules: [own, ...(upstream === undefined ? [] : [{ image: '**', upstream: 'upstream' }])],
    organizations: Object.fromEntries(ORGANIZATIONS.map((name) => [sha256(loginOf(name)), name])),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
