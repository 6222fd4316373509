import { gzipSync } from 'node:zlib';
import { blobOf, descriptorOf, digestOf, jsonBlob, tarOf, type ContentBlob } from '@weir/testing';

/** A manifest with all that it needs; an index has `children` and no `blobs`. */
export interface Content {
  manifest: ContentBlob;
  blobs: readonly ContentBlob[];
  children: readonly Content[];
  /** As an index over it says it. */
  platform?: Platform;
  annotations?: Readonly<Record<string, string>>;
}

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

export const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
export const ARM64: Platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };

/** The two kinds of media types that images are pushed with. */
const STYLES = {
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  },
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
    index: 'application/vnd.oci.image.index.v1+json',
  },
};
export type Style = keyof typeof STYLES;

/** An image of two small layers that really unpack. `unique` goes into them, so that no two cells share a layer. */
export function imageOf(unique: string, platform: Platform, style: Style): Content {
  const types = STYLES[style];
  const tars = ['one', 'two'].map((name) => tarOf(`${name}.txt`, `${unique} for ${platform.architecture}\n`));
  const layers = tars.map((tar) => blobOf(types.layer, gzipSync(tar)));
  const created = '2026-01-01T00:00:00Z';
  const config = jsonBlob(types.config, {
    created,
    ...platform,
    config: {},
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
    history: tars.map(() => ({ created, created_by: 'the client matrix of Weir' })),
  });
  const manifest = manifestOf(types.manifest, config, layers);
  return { manifest, blobs: [config, ...layers], children: [], platform };
}

export function indexOf(children: readonly Content[], style: Style): Content {
  const mediaType = STYLES[style].index;
  const manifests = children.map(({ manifest, platform, annotations }) => ({
    ...descriptorOf(manifest),
    ...(platform && { platform }),
    ...(annotations && { annotations }),
  }));
  return { manifest: jsonBlob(mediaType, { schemaVersion: 2, mediaType, manifests }), blobs: [], children };
}

/** What buildkit puts beside an image in its index ("Image Attestation Storage" of its documentation). */
export function attestationOf(image: Content): Content {
  const types = STYLES.oci;
  const platform = { os: 'unknown', architecture: 'unknown' };
  const statement = jsonBlob('application/vnd.in-toto+json', {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://slsa.dev/provenance/v0.2',
    subject: [{ name: 'matrix', digest: { sha256: image.manifest.digest.slice('sha256:'.length) } }],
    predicate: {},
  });
  const config = jsonBlob(types.config, {
    ...platform,
    config: {},
    rootfs: { type: 'layers', diff_ids: [statement.digest] },
  });
  return {
    manifest: manifestOf(types.manifest, config, [statement]),
    blobs: [config, statement],
    children: [],
    platform,
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.manifest.digest,
    },
  };
}

/** A chart as `helm push` stores it ("Use OCI-based registries" of Helm's documentation). */
export function helmChartOf(unique: string): Content {
  const chart = gzipSync(tarOf('chart/Chart.yaml', `apiVersion: v2\nname: chart\nversion: 1.0.0\n# ${unique}\n`));
  const config = jsonBlob('application/vnd.cncf.helm.config.v1+json', { name: 'chart', version: '1.0.0', unique });
  return artifactOf(config, blobOf('application/vnd.cncf.helm.chart.content.v1.tar+gzip', chart));
}

/** An artifact of a type of its own, named by the type of its configuration. */
export function plainArtifactOf(unique: string): Content {
  const config = jsonBlob('application/vnd.weir.matrix.config.v1+json', { unique });
  return artifactOf(config, blobOf('text/plain', Buffer.from(`${unique}\n`)));
}

/** A signature as cosign stores it beside the image, under a tag made of its digest (cosign, SIGNATURE_SPEC). */
export function signatureOf(image: Content): Content {
  const payload = jsonBlob('application/vnd.dev.cosign.simplesigning.v1+json', {
    critical: { type: 'cosign container image signature', image: { 'docker-manifest-digest': image.manifest.digest } },
  });
  const config = jsonBlob(STYLES.oci.config, { rootfs: { type: 'layers', diff_ids: [payload.digest] } });
  return artifactOf(config, payload);
}

export function signatureTagOf(image: Content): string {
  return `${image.manifest.digest.replace(':', '-')}.sig`;
}

/** `linux/arm64/v8`, as events have it. */
export function nameOf({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

function artifactOf(config: ContentBlob, layer: ContentBlob): Content {
  return { manifest: manifestOf(STYLES.oci.manifest, config, [layer]), blobs: [config, layer], children: [] };
}

function manifestOf(mediaType: string, config: ContentBlob, layers: readonly ContentBlob[]): ContentBlob {
  return jsonBlob(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
  });
}
