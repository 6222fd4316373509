import { digestOf } from '@weir/testing';

const OCI = 'application/vnd.oci.image';
const IMAGES = 1_000;

/** What a registry answers to a path. */
export interface Content {
  mediaType: string;
  body: Buffer;
  digest: string;
}

/** An image of five layers, as a client asks for it. */
export interface BenchImage {
  repository: string;
  /** Manifest and configuration, by their paths. */
  contents: ReadonlyMap<string, Content>;
  digest: string;
  layer: string;
}

/** A thousand images of fifty teams, each with the tag `latest`. */
export function benchImages(): BenchImage[] {
  return Array.from({ length: IMAGES }, (_, n) => imageOf(n));
}

function imageOf(n: number): BenchImage {
  const repository = `team-${n % 50}/app-${n}`;
  const config = contentOf('application/octet-stream', { os: 'linux', architecture: 'amd64', n, config: {} });
  const layers = Array.from({ length: 5 }, (_, layer) => ({
    mediaType: `${OCI}.layer.v1.tar+gzip`,
    digest: digestOf(Buffer.from(`${n} ${layer}`)),
    size: 1_000_000,
  }));
  const mediaType = `${OCI}.manifest.v1+json`;
  const described = { mediaType: `${OCI}.config.v1+json`, digest: config.digest, size: config.body.length };
  const manifest = contentOf(mediaType, { schemaVersion: 2, mediaType, config: described, layers });
  const path = `/v2/${repository}`;
  return {
    repository,
    contents: new Map([
      [`${path}/manifests/latest`, manifest],
      [`${path}/manifests/${manifest.digest}`, manifest],
      [`${path}/blobs/${config.digest}`, config],
    ]),
    digest: manifest.digest,
    layer: layers[0]?.digest ?? '',
  };
}

function contentOf(mediaType: string, json: object): Content {
  const body = Buffer.from(JSON.stringify(json));
  return { mediaType, body, digest: digestOf(body) };
}
