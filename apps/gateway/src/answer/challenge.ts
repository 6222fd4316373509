import { hostList } from '../rules/hosts';
import type { UpstreamTarget } from '../rules/rules';

/**
 * A `WWW-Authenticate` header tells clients where to take their passwords. An upstream that is not what it should be
 * must not choose that place freely. A realm passes when its host
 * - is listed under `realms` of the upstream, or is the upstream's own, on any port, also by http: the registry itself
 *   gets the same password;
 * - without a list, is any other by https: Docker Hub's is auth.docker.io, a Distribution's can be anywhere.
 */
export function mayPass({ url, publicUrl, realms }: UpstreamTarget): (challenge: string) => boolean {
  const own = [url, publicUrl ?? url].map((origin) => new URL(origin).hostname);
  const listed = realms && hostList(realms);

  const good = (realm: string): boolean => {
    // Other readers than this one may see another host behind a backslash, a space or an @.
    if (!/^[\x21-\x7e]+$/.test(realm) || /[\\@]/.test(realm) || !URL.canParse(realm)) return false;
    const to = new URL(realm);
    if (to.protocol !== 'https:' && to.protocol !== 'http:') return false;
    return own.includes(to.hostname) || (listed === undefined ? to.protocol === 'https:' : listed(to));
  };
  return (challenge) => bearerRealms(challenge)?.every(good) ?? false;
}

/** A parameter, `name=token` or `name="quoted"`, or else the name of a scheme; with what separates it from the last. */
const PART =
  /[\s,]*(?:([!#$%&'*+.^_`|~\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"\\]+))|([!#$%&'*+.^_`|~\w-]+)(?=[\s,]|$))/y;

/** Every realm of the Bearer challenges in a header (RFC 9110, 11.6.1); undefined when it cannot be read. */
function bearerRealms(header: string): string[] | undefined {
  const realms: string[] = [];
  let scheme = '';
  PART.lastIndex = 0;
  while (PART.lastIndex < header.length) {
    const from = PART.lastIndex;
    const match = PART.exec(header);
    if (match === null) return header.slice(from).trim() === '' ? realms : undefined;
    const [, name, quoted, token, word] = match;
    if (word !== undefined) scheme = word.toLowerCase();
    // Not Basic alone: a scheme that nobody knows may be one that takes its realm for an address.
    else if (name?.toLowerCase() === 'realm' && scheme !== 'basic')
      realms.push((quoted ?? token ?? '').replace(/\\(.)/g, '$1'));
  }
  return realms;
}
