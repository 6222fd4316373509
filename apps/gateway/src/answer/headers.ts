import type { IncomingHttpHeaders } from 'node:http';

export type Headers = Record<string, string | string[]>;

/** What of a client's request reaches the upstream. A list of what is allowed: nothing else can be smuggled. */
const FORWARDED = [
  'accept', 'accept-encoding', 'authorization', 'cache-control', 'docker-distribution-api-version', 'if-match',
  'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'range', 'user-agent',
  'x-meta-source-client',
] as const; // prettier-ignore

/** RFC 9110, 7.6.1, and what older intermediaries take for it. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization',
  'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
]); // prettier-ignore

/** Statements of the upstream about its own host, which would be taken for the gateway's. */
const ABOUT_UPSTREAM_HOST: ReadonlySet<string> = new Set(['alt-svc', 'set-cookie', 'strict-transport-security']);

/** The headers of a client's request that go upstream. The `Host` is the upstream's own; no address is passed on. */
export function requestHeaders(from: IncomingHttpHeaders, without: readonly string[] = []): Headers {
  const headers: Headers = {};
  const dropped = namedInConnection(from['connection']);
  for (const name of FORWARDED) {
    const value = from[name];
    if (value !== undefined && !without.includes(name) && !dropped.has(name)) headers[name] = value;
  }
  return headers;
}

/** The headers of an upstream's answer that go to the client: all but those about the connection or its host. */
export function responseHeaders(from: IncomingHttpHeaders): Headers {
  const headers: Headers = {};
  const dropped = namedInConnection(from['connection']);
  for (const [name, value] of Object.entries(from)) {
    if (value === undefined || dropped.has(name)) continue;
    if (HOP_BY_HOP.has(name) || ABOUT_UPSTREAM_HOST.has(name)) continue;
    const kept = (Array.isArray(value) ? value : [value]).filter(isHeaderText);
    if (kept.length > 0) headers[name] = kept.length === 1 ? (kept[0] ?? '') : kept;
  }
  return headers;
}

/**
 * A `Link` header, its targets turned into paths on the gateway where they point into the same repository at the
 * upstream (pagination of tags and referrers); other targets stay as they are.
 */
export function relinked(
  link: string | string[],
  at: { base: URL; origins: readonly string[]; from: string; to: string },
): string[] {
  const prefix = `/v2/${at.from}/`;
  return [link].flat().map((value) =>
    value.replace(/<([^<>]*)>/g, (whole, target: string) => {
      if (!URL.canParse(target, at.base.href)) return whole;
      const url = new URL(target, at.base);
      if (!at.origins.includes(url.origin) || !url.pathname.startsWith(prefix)) return whole;
      return `</v2/${at.to}/${url.pathname.slice(prefix.length)}${url.search}>`;
    }),
  );
}

function namedInConnection(connection: string | undefined): ReadonlySet<string> {
  return new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
}

/** May this stand in a header (RFC 9110, 5.5)? Anything else would end the response with an error of our own. */
function isHeaderText(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}
