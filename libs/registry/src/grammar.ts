/**
 * The grammars of the OCI distribution specification ("Pulling manifests") and of the image specification
 * ("Digests"). Every expression runs in linear time: no two alternatives can start with the same character where a
 * repetition could hand text from one to the other.
 */

/** Longest repository name; the specification gives 255 to host and name together, most clients to the name alone. */
const MAX_NAME = 255;
const MAX_DIGEST = 256;

/** Components with single slashes between them. */
const NAME = /^[a-z0-9]+(?:(?:[./]|__|_|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{32,}$/;
/** Nearly all of them. */
const SHA256 = /^sha256:[a-f0-9]{64}$/;
/** Algorithms whose encoded part is hexadecimal of a known length. */
const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** Is this a repository name, such as `library/alpine`? Without host, tag or digest. */
export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_NAME && NAME.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Is this a digest, `sha256:` and 64 lower-case hexadecimal digits, or one of another algorithm? */
export function isDigest(text: string): boolean {
  if (SHA256.test(text)) return true;
  if (text.length > MAX_DIGEST || !DIGEST.test(text)) return false;
  const [algorithm = '', encoded = ''] = text.split(':');
  const length = HEX_LENGTH[algorithm];
  return length === undefined || (encoded.length === length && /^[a-f0-9]+$/.test(encoded));
}
