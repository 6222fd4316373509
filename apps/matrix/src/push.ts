import { pushBlob, pushManifest } from '@weir/testing';
import type { Content } from './images';

/** Pushes content, all that it needs first, to a registry without login. */
export async function push(registry: string, repository: string, tag: string, content: Content): Promise<void> {
  await pushParts(registry, repository, content);
  await pushManifest(registry, repository, tag, content.manifest);
}

async function pushParts(registry: string, repository: string, { blobs, children }: Content): Promise<void> {
  for (const blob of blobs) await pushBlob(registry, repository, blob);
  for (const child of children) await push(registry, repository, child.manifest.digest, child);
}
