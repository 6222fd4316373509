import { createHash } from 'node:crypto';

/** Bytes with the name that content has in a registry: a manifest, a configuration, a layer. */
export interface ContentBlob {
  mediaType: string;
  digest: string;
  size: number;
  body: Buffer;
}

export function digestOf(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

export function blobOf(mediaType: string, body: Buffer): ContentBlob {
  return { mediaType, body, size: body.length, digest: digestOf(body) };
}

export function jsonBlob(mediaType: string, value: unknown): ContentBlob {
  return blobOf(mediaType, Buffer.from(JSON.stringify(value)));
}

/** What a descriptor says of a blob (OCI image specification, "Content Descriptors"). */
export function descriptorOf({ mediaType, digest, size }: ContentBlob) {
  return { mediaType, digest, size };
}

/**
 * Pushes a configuration or layer to a registry without login, by plain PUTs (OCI distribution specification, "Push");
 * one that is there already is left alone. @throws Error with what the registry said.
 */
export async function pushBlob(registry: string, repository: string, { digest, body }: ContentBlob): Promise<void> {
  const blobs = `${registry}/v2/${repository}/blobs`;
  if ((await fetch(`${blobs}/${digest}`, { method: 'HEAD' })).ok) return;
  const upload = await expectStatus(202, fetch(`${blobs}/uploads/`, { method: 'POST' }));
  const place = new URL(upload.headers.get('location') ?? '', registry);
  place.searchParams.set('digest', digest);
  await put(place.href, 'application/octet-stream', body);
}

/** Pushes a manifest or index, by a tag or by its digest, when all that it names is there. @throws as {@link pushBlob} */
export function pushManifest(
  registry: string,
  repository: string,
  reference: string,
  { mediaType, body }: ContentBlob,
): Promise<void> {
  return put(`${registry}/v2/${repository}/manifests/${reference}`, mediaType, body);
}

async function put(url: string, contentType: string, body: Buffer): Promise<void> {
  const headers = { 'content-type': contentType };
  await expectStatus(201, fetch(url, { method: 'PUT', headers, body: new Uint8Array(body) }));
}

async function expectStatus(status: number, answering: Promise<Response>): Promise<Response> {
  const response = await answering;
  const said = await response.text();
  if (response.status === status) return response;
  throw new Error(`${response.url} was answered ${response.status}, not ${status}: ${said.slice(0, 300)}`);
}
