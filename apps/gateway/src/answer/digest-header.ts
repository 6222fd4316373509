import { capabilityOf } from '@weir/registry';
import { MAX_MANIFEST_BYTES } from '../count/knowledge';
import { digestOf } from '../digest';
import type { ManifestRequest } from '../count/request';
import { readBody, type Answer, type Ask } from './upstream';

/**
 * An answer to a HEAD with the `Docker-Content-Digest` that the upstream left out, for a client that fails without it
 * (distribution specification: a SHOULD until 1.1): the digest that was asked for, or else that of the manifest, which
 * is fetched for it. An answer to a GET stays as it is, for there the client has the manifest to hash.
 */
export async function addMissingDigest(
  wanted: ManifestRequest,
  answer: Answer,
  question: Pick<Ask, 'path' | 'headers' | 'signal'>,
): Promise<Answer> {
  const missing = answer.status === 200 && answer.headers['docker-content-digest'] === undefined;
  if (wanted.method !== 'HEAD' || !missing || !capabilityOf(wanted.client)?.needsDigestHeader) return answer;
  const digest = wanted.reference.digest ?? (await digestByGet(wanted, answer, question));
  return digest === undefined ? answer : { ...answer, headers: { ...answer.headers, 'docker-content-digest': digest } };
}

async function digestByGet(
  { upstream }: ManifestRequest,
  head: Answer,
  question: Pick<Ask, 'path' | 'headers' | 'signal'>,
): Promise<string | undefined> {
  try {
    const answer = await upstream.ask({ ...question, method: 'GET', elsewhere: 'follow' });
    const contentType = answer.headers['content-type'];
    const body = await readBody(answer, MAX_MANIFEST_BYTES);
    // Another type is another manifest than the one that the client was told about.
    return contentType === head.headers['content-type'] ? digestOf({ contentType, body }) : undefined;
  } catch {
    return undefined; // the client gets what the upstream said, as without the gateway
  }
}
