import { textMatcher, type Matcher } from './glob';

/** A host as a request or a URL names it: lower case, without the dot of the root. */
export interface Host {
  name: string;
  /** Empty where none was given. */
  port: string;
}

/** `registry.example.com`, `registry.example.com:8443`, `*.example.com` or, for every host, nothing at all. */
export function hostMatcher(pattern: string | undefined): (host: Host | undefined) => boolean {
  if (pattern === undefined) return () => true;
  const wanted: Matcher = textMatcher(pattern.toLowerCase());
  const withPort = /:\d+$/.test(pattern);
  return (host) => host !== undefined && wanted(withPort ? `${host.name}:${host.port}` : host.name);
}

/** The host in a `Host` header; undefined when it is none. */
export function parseHost(header: string | undefined): Host | undefined {
  const match = /^([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(\d{1,5}))?$/.exec((header ?? '').toLowerCase());
  return match ? { name: (match[1] ?? '').replace(/\.$/, ''), port: match[2] ?? '' } : undefined;
}

/** Is the host of a web address among these patterns? Without a port a pattern takes every port. */
export function hostList(patterns: readonly string[]): (url: URL) => boolean {
  const matchers = patterns.map(hostMatcher);
  return ({ hostname, port, protocol }) => {
    const host = parseHost(`${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`);
    return matchers.some((matches) => matches(host));
  };
}
