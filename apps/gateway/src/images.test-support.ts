import type { Platform } from '@weir/registry';
import { blobOf, digestOf, pushBlob as pushBlobTo, pushManifest as pushManifestTo } from '@weir/testing';

/** An image or index that was pushed: enough to say what a pull of it must look like. */
export interface Pushed {
  digest: string;
  mediaType: string;
  /** The manifest, byte for byte. */
  body: Buffer;
}

export interface PushedImage extends Pushed {
  platform: Platform;
  /** Sizes of configuration and layers together. */
  bytes: number;
  layers: { digest: string; body: Buffer }[];
}

const OCI = 'application/vnd.oci.image';
export const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
export const ARM64: Platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };

/** Pushes an OCI image of one random layer by plain PUTs, and tags it where a tag is given. */
export async function pushImage(
  registry: string,
  repository: string,
  {
    tag,
    platform = AMD64,
    labels = {},
    layerBytes = 2048,
  }: {
    tag?: string;
    platform?: Platform;
    labels?: Record<string, string>;
    layerBytes?: number;
  } = {},
): Promise<PushedImage> {
  // A layer that claims to be a plain tar; nobody unpacks it.
  const layer = Buffer.alloc(layerBytes, `${repository} ${JSON.stringify(platform)} ${JSON.stringify(labels)} `);
  const config = json({
    ...platform,
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const blobs = [await pushBlob(registry, repository, config), await pushBlob(registry, repository, layer)];
  const [configDescriptor, layerDescriptor] = blobs;
  const body = json({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: { mediaType: `${OCI}.config.v1+json`, ...configDescriptor },
    layers: [{ mediaType: `${OCI}.layer.v1.tar`, ...layerDescriptor }],
  });
  const pushed = await putManifest(registry, repository, { body, mediaType: `${OCI}.manifest.v1+json`, tag });
  return {
    ...pushed,
    platform,
    bytes: config.length + layer.length,
    layers: [{ digest: digestOf(layer), body: layer }],
  };
}

/** A configuration or layer of any type. */
interface Part {
  mediaType: string;
  content: string;
}

/** Pushes whatever the OCI image manifest is used for beside images: charts, artifacts, signatures. */
export async function pushManifest(
  registry: string,
  repository: string,
  what: { tag?: string; config: Part; layers: Part[]; artifactType?: string; subject?: object },
): Promise<Pushed & { layers: { digest: string }[] }> {
  const push = async ({ mediaType, content }: Part) => ({
    mediaType,
    ...(await pushBlob(registry, repository, Buffer.from(content))),
  });
  const { tag, artifactType, subject } = what;
  const layers = await Promise.all(what.layers.map(push));
  const mediaType = `${OCI}.manifest.v1+json`;
  const body = json({ schemaVersion: 2, mediaType, artifactType, config: await push(what.config), layers, subject });
  return { ...(await putManifest(registry, repository, { body, mediaType, tag })), layers };
}

/** An entry of an index that is pushed. */
type Entry = Pushed & { platform: Platform; annotations?: Record<string, string> };

/** Pushes an index over images that are already there. */
export function pushIndex(registry: string, repository: string, images: Entry[], tag?: string): Promise<Pushed> {
  const manifests = images.map(({ digest, mediaType, body, platform, annotations }) => ({
    mediaType,
    digest,
    size: body.length,
    platform,
    ...(annotations === undefined ? {} : { annotations }),
  }));
  const mediaType = `${OCI}.index.v1+json`;
  return putManifest(registry, repository, { body: json({ schemaVersion: 2, mediaType, manifests }), mediaType, tag });
}

async function putManifest(
  registry: string,
  repository: string,
  { body, mediaType, tag }: { body: Buffer; mediaType: string; tag?: string | undefined },
): Promise<Pushed> {
  const blob = blobOf(mediaType, body);
  await pushManifestTo(registry, repository, tag ?? blob.digest, blob);
  return { digest: blob.digest, mediaType, body };
}

async function pushBlob(registry: string, repository: string, body: Buffer): Promise<{ digest: string; size: number }> {
  const blob = blobOf('application/octet-stream', body);
  await pushBlobTo(registry, repository, blob);
  return { digest: blob.digest, size: blob.size };
}

/** What most tests pull: a single image for arm64, and an index over one for amd64 and one for arm64. */
export interface TeamImages {
  /** `team/single:v1` */
  single: PushedImage;
  /** `team/multi`, by digest only. */
  amd64: PushedImage;
  arm64: PushedImage;
  /** `team/multi`, by a tag. */
  index: Pushed;
}

export async function pushTeam(
  registry: string,
  { indexTag, layerBytes }: { indexTag: string; layerBytes?: number },
): Promise<TeamImages> {
  const size = layerBytes === undefined ? {} : { layerBytes };
  const single = await pushImage(registry, 'team/single', { tag: 'v1', platform: ARM64, ...size });
  const amd64 = await pushImage(registry, 'team/multi', { platform: AMD64, ...size });
  const arm64 = await pushImage(registry, 'team/multi', { platform: ARM64, ...size });
  return { single, amd64, arm64, index: await pushIndex(registry, 'team/multi', [amd64, arm64], indexTag) };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
