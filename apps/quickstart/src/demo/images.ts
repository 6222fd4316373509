import { gzipSync } from 'node:zlib';
import {
  blobOf,
  descriptorOf,
  digestOf,
  jsonBlob,
  pushBlob,
  pushManifest,
  tarOf,
  type ContentBlob,
} from '@weir/testing';

/** An image of the demo: so small that a pull costs nothing, and otherwise like any other. */
export interface DemoImage {
  repository: string;
  tag: string;
  /** More than one makes an index over as many images. */
  platforms: readonly string[];
  labels?: Readonly<Record<string, string>>;
  /** With a signature beside it, as cosign puts it there. */
  signed?: true;
}

/** A label that says of an image that it uses Fusion; the gateway's rules of the demo look for it. */
export const FUSION_LABEL = 'io.weir.demo.fusion';

export const demoImages: readonly DemoImage[] = [
  { repository: 'demo/hello', tag: '1.0', platforms: ['linux/amd64', 'linux/arm64'], signed: true },
  { repository: 'demo/web', tag: '1.27', platforms: ['linux/amd64', 'linux/arm64'] },
  { repository: 'demo/tool', tag: 'latest', platforms: ['linux/amd64'] },
  {
    repository: 'demo/pipeline',
    tag: '2.0',
    platforms: ['linux/amd64', 'linux/arm64'],
    labels: { [FUSION_LABEL]: '2.4' },
  },
];

/** A Helm chart: one manifest, without a platform. */
export const demoChart = { repository: 'demo/chart', tag: '0.1.0' } as const;

/** What one manifest takes. */
interface Whole {
  layer: ContentBlob;
  config: ContentBlob;
  manifest: ContentBlob;
}

const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json';

/** Makes the images and pushes them to a registry (OCI distribution spec, "Push"); pushing again changes nothing. */
export async function pushDemoImages(registry: string, images = demoImages): Promise<void> {
  for (const image of images) await pushImage(registry, image);
}

/** Pushes the chart of the demo. */
export async function pushDemoChart(registry: string): Promise<void> {
  const { repository, tag } = demoChart;
  const chart = { apiVersion: 'v2', name: 'chart', version: tag };
  const files = gzipSync(tarOf('chart/Chart.yaml', JSON.stringify(chart)));
  const layer = blobOf('application/vnd.cncf.helm.chart.content.v1.tar+gzip', files);
  const config = jsonBlob('application/vnd.cncf.helm.config.v1+json', chart);
  await pushWhole(registry, repository, tag, { layer, config, manifest: manifestOf(config, layer) });
}

/** The tag of an image's signature (cosign, "Signature Specification"). */
export function signatureTag(digest: string): string {
  return `${digest.replace(':', '-')}.sig`;
}

/** Looks like a signature, and is none: no key has made it. */
async function pushSignature(registry: string, repository: string, digest: string): Promise<void> {
  const payload = { critical: { image: { 'docker-manifest-digest': digest } } };
  const layer = jsonBlob('application/vnd.dev.cosign.simplesigning.v1+json', payload);
  const config = jsonBlob(IMAGE_CONFIG, {
    os: '',
    architecture: '',
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  await pushWhole(registry, repository, signatureTag(digest), { layer, config, manifest: manifestOf(config, layer) });
}

async function pushImage(registry: string, image: DemoImage): Promise<void> {
  const { repository, platforms, signed } = image;
  const named = await (platforms.length > 1 ? pushIndex(registry, image) : pushSingle(registry, image));
  if (signed) await pushSignature(registry, repository, named.digest);
}

async function pushSingle(registry: string, image: DemoImage): Promise<ContentBlob> {
  const parts = makeImage(image, image.platforms[0] ?? 'linux/amd64');
  await pushWhole(registry, image.repository, image.tag, parts);
  return parts.manifest;
}

async function pushIndex(registry: string, image: DemoImage): Promise<ContentBlob> {
  const { repository, tag, platforms } = image;
  const manifests = [];
  for (const platform of platforms) {
    const parts = makeImage(image, platform);
    await pushWhole(registry, repository, parts.manifest.digest, parts);
    const [os, architecture] = platform.split('/');
    manifests.push({ ...descriptorOf(parts.manifest), platform: { os, architecture } });
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index = jsonBlob(mediaType, { schemaVersion: 2, mediaType, manifests });
  await pushManifest(registry, repository, tag, index);
  return index;
}

function makeImage({ repository, tag, labels = {} }: DemoImage, platform: string): Whole {
  const tar = tarOf('weir-demo.txt', `${repository}:${tag} for ${platform}, made by the demo of Weir\n`);
  const layer = blobOf('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar));
  const [os, architecture] = platform.split('/');
  const config = jsonBlob(IMAGE_CONFIG, {
    os,
    architecture,
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
  });
  return { layer, config, manifest: manifestOf(config, layer) };
}

function manifestOf(config: ContentBlob, layer: ContentBlob): ContentBlob {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return jsonBlob(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: descriptorOf(config),
    layers: [descriptorOf(layer)],
  });
}

async function pushWhole(registry: string, repository: string, reference: string, parts: Whole): Promise<void> {
  for (const blob of [parts.layer, parts.config]) await pushBlob(registry, repository, blob);
  await pushManifest(registry, repository, reference, parts.manifest);
}
