import { isDigest, isRepositoryName, isTag } from './grammar';

/** A manifest is named by exactly one of the two. */
export type Reference = { tag: string; digest?: never } | { digest: string; tag?: never };

/** Codes of the distribution specification ("Error Codes"), as far as a path alone can cause them. */
export type PathErrorCode = 'NAME_INVALID' | 'TAG_INVALID' | 'DIGEST_INVALID' | 'UNSUPPORTED';

/** What a path under `/v2` asks for. */
export type RegistryPath =
  | { kind: 'base' }
  | { kind: 'catalog' }
  | { kind: 'manifest'; name: string; reference: Reference }
  | { kind: 'blob'; name: string; digest: string }
  | { kind: 'tags'; name: string }
  | { kind: 'referrers'; name: string; digest: string }
  | { kind: 'invalid'; code: PathErrorCode; message: string };

const MAX_PATH = 1024;

/**
 * Reads the path of a registry request (no query, nothing percent-decoded: no valid name, tag or digest needs it).
 *
 * The split is at the last keyword that can be one, counted from the end, so a name may itself have components called
 * `tags`, `blobs` or `manifests`: `/v2/a/manifests/manifests/latest` is tag `latest` of `a/manifests`.
 *
 * Endpoints: distribution specification 1.1, end-1 to end-3, end-8 and end-12. Anything else, uploads included, is
 * `UNSUPPORTED`.
 */
export function parseRegistryPath(path: string): RegistryPath {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (!path.startsWith('/v2/')) return invalid('UNSUPPORTED', 'registry requests start with /v2/');
  if (path.length > MAX_PATH) return invalid('NAME_INVALID', `the path is longer than ${MAX_PATH} characters`);

  const end = path.lastIndexOf('/');
  const before = path.lastIndexOf('/', end - 1);
  const keyword = path.slice(before + 1, end);
  const last = path.slice(end + 1);
  const name = path.slice('/v2/'.length, before);

  switch (keyword) {
    case 'tags':
      if (last !== 'list') return unsupported();
      return named(name, () => ({ kind: 'tags', name }));
    case 'manifests':
      return named(name, () => manifest(name, last));
    case 'blobs':
      return named(name, () => (isDigest(last) ? { kind: 'blob', name, digest: last } : notDigest()));
    case 'referrers':
      return named(name, () => (isDigest(last) ? { kind: 'referrers', name, digest: last } : notDigest()));
    default:
      return unsupported();
  }
}

function named(name: string, then: () => RegistryPath): RegistryPath {
  if (isRepositoryName(name)) return then();
  return invalid(
    'NAME_INVALID',
    'a repository name is made of lower-case letters, digits and single separators (. _ __ -), at most 255 characters',
  );
}

function manifest(name: string, reference: string): RegistryPath {
  if (reference.includes(':')) {
    return isDigest(reference) ? { kind: 'manifest', name, reference: { digest: reference } } : notDigest();
  }
  if (isTag(reference)) return { kind: 'manifest', name, reference: { tag: reference } };
  return invalid('TAG_INVALID', 'a tag is made of letters, digits, _ . and -, at most 128 characters');
}

function notDigest(): RegistryPath {
  return invalid('DIGEST_INVALID', 'a digest is an algorithm and its value, such as sha256 and 64 hexadecimal digits');
}

function unsupported(): RegistryPath {
  return invalid('UNSUPPORTED', 'only manifests, blobs, tags/list and referrers can be read here');
}

function invalid(code: PathErrorCode, message: string): RegistryPath {
  return { kind: 'invalid', code, message };
}
