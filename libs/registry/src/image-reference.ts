import { isDigest, isRepositoryName, isTag } from './grammar';

/** An image as people write it: `host/name:tag@digest`, all but the name optional. */
export interface ImageReference {
  /** Registry, `host` or `host:port`; absent when the text names none. No default is made up. */
  host?: string;
  name: string;
  tag?: string;
  digest?: string;
}

const HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;

/**
 * Reads `[host/]name[:tag][@digest]`, or undefined when it is none. As every client does, the first component is a
 * host only if it has a dot or a colon or is `localhost` (distribution, reference/normalize.go).
 */
export function parseImageReference(text: string): ImageReference | undefined {
  if (text.length > 1024) return undefined;
  const [image = '', digest, ...rest] = text.split('@');
  if (rest.length > 0 || (digest !== undefined && !isDigest(digest))) return undefined;

  const slash = image.indexOf('/');
  const first = image.slice(0, Math.max(slash, 0));
  const host = slash > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : undefined;
  if (host !== undefined && !HOST.test(host)) return undefined;

  const [name = '', tag, ...more] = (host === undefined ? image : image.slice(slash + 1)).split(':');
  if (more.length > 0 || !isRepositoryName(name) || (tag !== undefined && !isTag(tag))) return undefined;
  return {
    ...(host === undefined ? {} : { host }),
    name,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The inverse of {@link parseImageReference}. */
export function formatImageReference({ host, name, tag, digest }: ImageReference): string {
  return `${host ? `${host}/` : ''}${name}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`;
}
