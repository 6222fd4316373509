import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

/** An image of the demo: so small that a pull costs nothing, and otherwise like any other. */
export interface DemoImage {
  repository: string;
  tag: string;
  /** More than one makes an index over as many images. */
  platforms: readonly string[];
  labels?: Readonly<Record<string, string>>;
}

/** A label that says of an image that it uses Fusion; the gateway's rules of the demo look for it. */
export const FUSION_LABEL = 'io.weir.demo.fusion';

export const demoImages: readonly DemoImage[] = [
  { repository: 'demo/hello', tag: '1.0', platforms: ['linux/amd64', 'linux/arm64'] },
  { repository: 'demo/web', tag: '1.27', platforms: ['linux/amd64', 'linux/arm64'] },
  { repository: 'demo/tool', tag: 'latest', platforms: ['linux/amd64'] },
  {
    repository: 'demo/pipeline',
    tag: '2.0',
    platforms: ['linux/amd64', 'linux/arm64'],
    labels: { [FUSION_LABEL]: '2.4' },
  },
];

interface Blob {
  mediaType: string;
  digest: string;
  size: number;
  body: Buffer;
}

/** What a descriptor says of a blob (OCI image spec, "Content Descriptors"). */
const described = ({ mediaType, digest, size }: Blob) => ({ mediaType, digest, size });

/** Makes the images and pushes them to a registry (OCI distribution spec, "Push"); pushing again changes nothing. */
export async function pushDemoImages(registry: string, images = demoImages): Promise<void> {
  for (const image of images) await pushImage(registry, image);
}

async function pushImage(registry: string, image: DemoImage): Promise<void> {
  const { repository, tag, platforms } = image;
  const manifests = [];
  for (const platform of platforms) {
    const parts = makeImage(image, platform);
    for (const blob of [parts.layer, parts.config]) await pushBlob(registry, repository, blob);
    await pushManifest(registry, repository, platforms.length > 1 ? parts.manifest.digest : tag, parts.manifest);
    const [os, architecture] = platform.split('/');
    manifests.push({ ...described(parts.manifest), platform: { os, architecture } });
  }
  if (platforms.length < 2) return;
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  await pushManifest(registry, repository, tag, json(mediaType, { schemaVersion: 2, mediaType, manifests }));
}

function makeImage(
  { repository, tag, labels = {} }: DemoImage,
  platform: string,
): { layer: Blob; config: Blob; manifest: Blob } {
  const tar = tarOf('weir-demo.txt', `${repository}:${tag} for ${platform}, made by the demo of Weir\n`);
  const layer = blob('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar));
  const [os, architecture] = platform.split('/');
  const config = json('application/vnd.oci.image.config.v1+json', {
    os,
    architecture,
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = json(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: described(config),
    layers: [described(layer)],
  });
  return { layer, config, manifest };
}

async function pushBlob(registry: string, repository: string, { digest, body }: Blob): Promise<void> {
  const there = await fetch(`${registry}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
  if (there.ok) return;
  const upload = await expectStatus(202, fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' }));
  const place = new URL(upload.headers.get('location') ?? '', registry);
  place.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  await expectStatus(201, fetch(place, { method: 'PUT', headers, body: new Uint8Array(body) }));
}

async function pushManifest(
  registry: string,
  repository: string,
  reference: string,
  { mediaType, body }: Blob,
): Promise<void> {
  const headers = { 'content-type': mediaType };
  await expectStatus(
    201,
    fetch(`${registry}/v2/${repository}/manifests/${reference}`, {
      method: 'PUT',
      headers,
      body: new Uint8Array(body),
    }),
  );
}

async function expectStatus(status: number, answering: Promise<Response>): Promise<Response> {
  const response = await answering;
  if (response.status === status) return response;
  throw new Error(
    `The registry answered ${response.status} instead of ${status} to ${response.url}: ${(await response.text()).slice(0, 300)}`,
  );
}

function json(mediaType: string, value: unknown): Blob {
  return blob(mediaType, Buffer.from(JSON.stringify(value)));
}

function blob(mediaType: string, body: Buffer): Blob {
  return { mediaType, body, size: body.length, digest: digestOf(body) };
}

function digestOf(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

/** A tar archive of one file (POSIX ustar), the same bytes each time. */
export function tarOf(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100); // mode
  header.write('0000000\0', 108); // uid
  header.write('0000000\0', 116); // gid
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136); // mtime: the epoch
  header.write('        ', 148); // the checksum counts its own field as blanks
  header.write('0', 156); // a plain file
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
