import { createHash } from 'node:crypto';
import { mediaTypeOf } from '@weir/registry';

/** Hex digits of the algorithms that the image specification registers. */
const LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** Is this certainly what `digest` names? No for unknown algorithms and texts that are no digest. */
export function isNamedBy(digest: string, body: Buffer): boolean {
  const [algorithm = '', encoded = ''] = digest.split(':');
  return LENGTHS[algorithm] === encoded.length && createHash(algorithm).update(body).digest('hex') === encoded;
}

/**
 * Is this certainly not the manifest that `digest` names? Unknown algorithms and texts that are no digest say nothing,
 * nor does schema 1, whose signatures are in the body but not in its digest (and which may call itself mere JSON).
 */
export function contradicts(digest: string | undefined, contentType: string | undefined, body: Buffer): boolean {
  const [algorithm = '', encoded = ''] = (digest ?? '').split(':');
  if (digest === undefined || LENGTHS[algorithm] !== encoded.length) return false;
  const type = mediaTypeOf(contentType);
  return !['', 'application/json'].includes(type) && !isSchema1(type) && !isNamedBy(digest, body);
}

/**
 * The digest of a manifest whose upstream does not tell it; undefined where it cannot be known: without a body, and for
 * schema 1.
 */
export function digestOf({ contentType, body }: { contentType: string | undefined; body?: Buffer | undefined }) {
  if (body === undefined || isSchema1(mediaTypeOf(contentType))) return undefined;
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

function isSchema1(type: string): boolean {
  return type.startsWith('application/vnd.docker.distribution.manifest.v1+');
}
