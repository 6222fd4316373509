import type { Blob, Content } from './images';

/** Pushes content to a registry without login, by plain PUTs (OCI distribution specification, "Push"). */
export async function push(registry: string, repository: string, tag: string, content: Content): Promise<void> {
  const base = `${registry}/v2/${repository}`;
  await pushParts(base, content);
  await putManifest(`${base}/manifests/${tag}`, content.manifest);
}

async function pushParts(base: string, { blobs, children }: Content): Promise<void> {
  for (const blob of blobs) await pushBlob(base, blob);
  for (const child of children) {
    await pushParts(base, child);
    await putManifest(`${base}/manifests/${child.manifest.digest}`, child.manifest);
  }
}

async function pushBlob(base: string, { digest, body }: Blob): Promise<void> {
  const upload = await expectStatus(202, fetch(`${base}/blobs/uploads/`, { method: 'POST' }));
  const place = new URL(upload.headers.get('location') ?? '', base);
  place.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  await expectStatus(201, fetch(place, { method: 'PUT', headers, body: new Uint8Array(body) }));
}

async function putManifest(url: string, { mediaType, body }: Blob): Promise<void> {
  const headers = { 'content-type': mediaType };
  await expectStatus(201, fetch(url, { method: 'PUT', headers, body: new Uint8Array(body) }));
}

async function expectStatus(status: number, answering: Promise<Response>): Promise<Response> {
  const response = await answering;
  const said = await response.text();
  if (response.status === status) return response;
  throw new Error(`${response.url} was answered ${response.status}, not ${status}: ${said.slice(0, 300)}`);
}
