import { isRepositoryName, isTag, parseImageReference } from '@weir/registry';

/** An image's full name: registry host, repository, and a tag or a digest. */
export interface ImageName {
  /** `registry.example.com`, `127.0.0.1:5000`. */
  registry: string;
  /** `acme/app`: what events call `repository`. */
  repository: string;
  tag?: string;
  /** `sha256:<64 hex digits>`. */
  digest?: string;
}

const MAX = 512;

/**
 * Reads `host/name[:tag][@digest]`. The host must be written out: a short name would mean a different registry on
 * every machine.
 *
 * @returns the parts, or in a sentence what is wrong with the text.
 */
export function parseImage(text: string): ImageName | string {
  if (text.length > MAX) return `must be at most ${MAX} characters`;
  if (/^[a-z-]{1,32}:\/\//i.test(text)) return 'must be host/name:tag, without a scheme such as docker://';
  const image = parseImageReference(text);
  if (!image) return whatIsWrong(text);
  if (!image.host) return 'must start with the registry it is in, as in registry.example.com/name:tag';
  const { host, name, tag, digest } = image;
  if (digest && !digest.startsWith('sha256:')) return 'must have a digest of sha256';
  return { registry: host.toLowerCase(), repository: name, ...(tag && { tag }), ...(digest && { digest }) };
}

function whatIsWrong(text: string): string {
  const [named = '', digest] = text.split('@');
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))
    return 'has a digest that is not sha256: and 64 hexadecimal digits';
  const [name = '', tag] = named.slice(named.indexOf('/') + 1).split(':');
  if (tag !== undefined && !isTag(tag))
    return 'has a tag that is not 1 to 128 letters, digits, . _ - (not starting with . or -)';
  if (!isRepositoryName(name))
    return 'has a name that is not lower-case letters and digits with single . _ - between them, its parts separated by /';
  return 'must be host/name:tag, as in registry.example.com/name:tag';
}

/** The name as text; the opposite of {@link parseImage}. A digest wins over a tag: both together mean the digest. */
export function formatImage({ registry, repository, tag, digest }: ImageName): string {
  return `${registry}/${repository}${digest ? `@${digest}` : tag ? `:${tag}` : ''}`;
}

/** Whether a registry, or one repository path in it, is on a list such as `registry.example.com/team,localhost:5000`. */
export function isListed(image: ImageName, list: readonly string[]): boolean {
  const name = `${image.registry}/${image.repository}`;
  return list.some((entry) => name === entry || name.startsWith(entry.endsWith('/') ? entry : `${entry}/`));
}
