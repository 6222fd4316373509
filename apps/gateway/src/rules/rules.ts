import { isRepositoryName } from '@weir/registry';
import { nobody, type IdentityRules } from '../identity/identity-file';
import { imageMatcher, textMatcher } from './glob';
import { hostMatcher, parseHost } from './hosts';

/**
 * How manifests are answered; blob bytes flow past the gateway in every mode.
 * - `auto`: redirect the clients that are known to follow, proxy for the others;
 * - `redirect`: redirect everybody who sends no credentials;
 * - `proxy`: never redirect.
 */
export type Mode = 'auto' | 'redirect' | 'proxy';
export const modes = ['auto', 'redirect', 'proxy'] as const;

/** A registry behind the gateway. */
export interface UpstreamTarget {
  /** Named in events and metrics. */
  name: string;
  /** Where the gateway reaches it: an origin, `http://127.0.0.1:5000`. */
  url: string;
  /** Where clients reach it, an origin; undefined when they cannot, so that nothing is redirected. */
  publicUrl: string | undefined;
  /** Hosts whose redirects are followed, wherever they are; absent: every host with a public address. */
  redirects?: readonly string[];
  /** Hosts to which clients may be sent for a token; absent: every host by https. */
  realms?: readonly string[];
}

/** When a pull uses Fusion; all that is given must match. */
export interface FusionRule {
  image?: string;
  tag?: string;
  /** A label of the image's configuration; `value` is a pattern. */
  label?: { name: string; value: string };
}

/** A rule as the file says it, with its upstream looked up. */
export interface RuleDefinition {
  host?: string;
  image?: string;
  upstream: UpstreamTarget;
  rename?: string;
  stripPrefix?: string;
  addPrefix?: string;
  mode: Mode;
  fusion?: boolean | FusionRule;
}

/** A rule ready for use. */
export interface Rule {
  upstream: UpstreamTarget;
  mode: Mode;
  /** The image's name at the upstream; undefined when renaming makes no valid name of it. */
  nameAtUpstream(name: string): string | undefined;
  fusion: Fusion | undefined;
}

export interface Fusion {
  /** The label whose value decides too, when there is one. */
  label: string | undefined;
  matches(pull: { repository: string; tag?: string | undefined; labels?: Readonly<Record<string, string>> }): boolean;
}

/** What the gateway serves, and for whom. Rules are tried in their order; the first that matches decides. */
export interface Rules {
  upstreams: readonly UpstreamTarget[];
  /** The rule for an image, by the `Host` header and the name in the path. No other header has a say. */
  find(host: string | undefined, image: string): Rule | undefined;
  /** The rule that answers `/v2/`, which names no image: the first for this host. */
  findForHost(host: string | undefined): Rule | undefined;
  /** Labels that Fusion rules look at. */
  fusionLabels: readonly string[];
  /** How credentials are verified, and whose they are. */
  identity: IdentityRules;
}

export function createRules(definitions: readonly RuleDefinition[], identity: IdentityRules = nobody): Rules {
  const looksAtHosts = definitions.some(({ host }) => host !== undefined);
  const hostOf = (header: string | undefined) => (looksAtHosts ? parseHost(header) : undefined);
  const compiled = definitions.map((definition) => ({
    forHost: hostMatcher(definition.host),
    forImage: imageMatcher(definition.image ?? '**'),
    rule: compile(definition),
  }));
  return {
    upstreams: [...new Set(definitions.map(({ upstream }) => upstream))],
    fusionLabels: compiled.flatMap(({ rule }) => rule.fusion?.label ?? []),
    find(host, image) {
      const named = hostOf(host);
      return compiled.find(({ forHost, forImage }) => forHost(named) && forImage(image))?.rule;
    },
    findForHost(host) {
      const named = hostOf(host);
      return compiled.find(({ forHost }) => forHost(named))?.rule;
    },
    identity,
  };
}

function compile({ upstream, mode, rename, stripPrefix = '', addPrefix = '', fusion }: RuleDefinition): Rule {
  const keepsNames = rename === undefined && stripPrefix === '' && addPrefix === '';
  return {
    upstream,
    mode,
    nameAtUpstream(name) {
      if (keepsNames) return name;
      const stripped = name.startsWith(stripPrefix) ? name.slice(stripPrefix.length) : name;
      const renamed = rename ?? `${addPrefix}${stripped}`;
      return isRepositoryName(renamed) ? renamed : undefined;
    },
    fusion: fusion === undefined || fusion === false ? undefined : compileFusion(fusion === true ? {} : fusion),
  };
}

function compileFusion({ image, tag, label }: FusionRule): Fusion {
  const imageMatches = image === undefined ? undefined : imageMatcher(image);
  const tagMatches = tag === undefined ? undefined : textMatcher(tag);
  const valueMatches = label === undefined ? undefined : textMatcher(label.value);
  return {
    label: label?.name,
    matches(pull) {
      if (imageMatches && !imageMatches(pull.repository)) return false;
      if (tagMatches && (pull.tag === undefined || !tagMatches(pull.tag))) return false;
      if (!label || !valueMatches) return true;
      const value = pull.labels?.[label.name];
      return value !== undefined && valueMatches(value);
    },
  };
}
