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

// The grammar of the distribution specification ("Pull", name and reference) and of distribution/reference (domain).
// Every expression is anchored and no two neighbouring parts can match the same text: linear time on any input.
const HOST = /^(?:localhost|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i; // prettier-ignore
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NAME_MAX = 255;

/**
 * Reads `host/name[:tag][@digest]`. The host must be written out: a short name would mean a different registry on
 * every machine.
 *
 * @returns the parts, or in a sentence what is wrong with the text.
 */
export function parseImage(text: string): ImageName | string {
  if (text.length > NAME_MAX + 200) return `must be at most ${NAME_MAX + 200} characters`;
  if (/^[a-z-]+:\/\//i.test(text)) return 'must be host/name:tag, without a scheme such as docker://';
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest)))
    return 'has a digest that is not sha256: and 64 hexadecimal digits';
  const slash = named.indexOf('/');
  const registry = named.slice(0, Math.max(slash, 0));
  if (!/[.:]|^localhost$/.test(registry))
    return 'must start with the registry it is in, as in registry.example.com/name:tag';
  if (!HOST.test(registry)) return `names a registry, ${JSON.stringify(registry)}, that is no host or host:port`;
  const rest = named.slice(slash + 1);
  const colon = rest.indexOf(':');
  const repository = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (repository.length > NAME_MAX || !repository.split('/').every((part) => COMPONENT.test(part)))
    return 'has a name that is not lower-case letters, digits and single . _ - between them, parts separated by /';
  if (tag !== undefined && !TAG.test(tag))
    return 'has a tag that is not 1 to 128 letters, digits, . _ - (not starting with . or -)';
  return { registry: registry.toLowerCase(), repository, ...(tag && { tag }), ...(digest && { digest }) };
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
