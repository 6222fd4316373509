import { createHash } from 'node:crypto';
import { mediaTypeOf } from '@weir/registry';

/** Hex digits of the algorithms that the image specification registers. */
const LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Is this certainly not the manifest that `digest` names? Unknown algorithms and texts that are no digest say nothing,
 * nor does schema 1, whose signatures are in the body but not in its digest (and which may call itself mere JSON).
 */
export function contradicts(digest: string | undefined, contentType: string | undefined, body: Buffer): boolean {
  const [algorithm = '', encoded = ''] = (digest ?? '').split(':');
  if (LENGTHS[algorithm] !== encoded.length || mayBeSchema1(mediaTypeOf(contentType))) return false;
  return createHash(algorithm).update(body).digest('hex') !== encoded;
}

function mayBeSchema1(type: string): boolean {
  return ['', 'application/json'].includes(type) || type.startsWith('application/vnd.docker.distribution.manifest.v1+');
}
