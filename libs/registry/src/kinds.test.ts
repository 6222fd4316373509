import { isPulled, kindOfTag } from './kinds';
import { readManifest } from './manifest';

const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json';
const EMPTY = 'application/vnd.oci.empty.v1+json';
const TAR = 'application/vnd.oci.image.layer.v1.tar+gzip';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const IN_TOTO = 'application/vnd.in-toto+json';
const digest = (fill: string) => `sha256:${fill.repeat(64)}`;
const subject = { mediaType: OCI, digest: digest('5'), size: 1 };

function read(manifest: {
  artifactType?: unknown;
  config?: string;
  layers?: string[];
  subject?: object;
  annotations?: object;
}) {
  const { config, layers = [], ...rest } = manifest;
  const json = {
    ...rest,
    ...(config === undefined ? {} : { config: { mediaType: config, digest: digest('c'), size: 2 } }),
    layers: layers.map((mediaType, n) => ({ mediaType, digest: digest(String(n)), size: 10 })),
  };
  const manifestRead = readManifest(OCI, Buffer.from(JSON.stringify(json)));
  if (manifestRead?.type !== 'image') throw new Error('not read as an image manifest');
  return manifestRead;
}

// Each as its tool writes it; the tools are named where the table is.
test.each([
  ['an image of OCI', { config: IMAGE_CONFIG, layers: [TAR, TAR] }, 'image', undefined],
  [
    'an image of Docker',
    {
      config: 'application/vnd.docker.container.image.v1+json',
      layers: ['application/vnd.docker.image.rootfs.diff.tar.gzip'],
    },
    'image',
    undefined,
  ],
  ['an image of the first days of schema 2', { config: 'application/octet-stream', layers: [TAR] }, 'image', undefined],
  ['an image without layers', { config: IMAGE_CONFIG }, 'image', undefined],
  [
    'a chart',
    {
      config: 'application/vnd.cncf.helm.config.v1+json',
      layers: ['application/vnd.cncf.helm.chart.content.v1.tar+gzip'],
    },
    'helm-chart',
    'application/vnd.cncf.helm.config.v1+json',
  ],
  [
    'a WebAssembly module',
    { config: 'application/vnd.wasm.config.v0+json', layers: ['application/wasm'] },
    'artifact',
    'application/vnd.wasm.config.v0+json',
  ],
  [
    'what ORAS pushes',
    { artifactType: 'application/vnd.unknown.artifact.v1', config: EMPTY, layers: [TAR] },
    'artifact',
    'application/vnd.unknown.artifact.v1',
  ],
  [
    'a signature of cosign under a tag',
    { config: IMAGE_CONFIG, layers: ['application/vnd.dev.cosign.simplesigning.v1+json'] },
    'signature',
    'application/vnd.dev.cosign.simplesigning.v1+json',
  ],
  [
    'a signature of cosign as a referrer',
    { config: 'application/vnd.dev.cosign.artifact.sig.v1+json', subject },
    'signature',
    'application/vnd.dev.cosign.artifact.sig.v1+json',
  ],
  [
    'a signature of notation',
    {
      artifactType: 'application/vnd.cncf.notary.signature',
      config: EMPTY,
      layers: ['application/jose+json'],
      subject,
    },
    'signature',
    'application/vnd.cncf.notary.signature',
  ],
  [
    'an old signature of notation',
    { config: 'application/vnd.cncf.notary.signature', layers: ['application/cose'], subject },
    'signature',
    'application/vnd.cncf.notary.signature',
  ],
  [
    'a bundle that signs',
    {
      artifactType: BUNDLE,
      config: EMPTY,
      layers: [BUNDLE],
      subject,
      annotations: { 'dev.sigstore.bundle.content': 'message-signature' },
    },
    'signature',
    BUNDLE,
  ],
  [
    'a bundle that signs as cosign 3 does',
    {
      artifactType: BUNDLE,
      config: EMPTY,
      layers: [BUNDLE],
      subject,
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': 'https://sigstore.dev/cosign/sign/v1',
      },
    },
    'signature',
    BUNDLE,
  ],
  [
    'a bundle that attests',
    {
      artifactType: BUNDLE,
      config: EMPTY,
      layers: [BUNDLE],
      subject,
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': 'https://slsa.dev/provenance/v1',
      },
    },
    'attestation',
    BUNDLE,
  ],
  [
    'an attestation of cosign under a tag',
    {
      config: IMAGE_CONFIG,
      layers: ['application/vnd.dsse.envelope.v1+json', 'application/vnd.dsse.envelope.v1+json'],
    },
    'attestation',
    'application/vnd.dsse.envelope.v1+json',
  ],
  ['an attestation of BuildKit', { config: IMAGE_CONFIG, layers: [IN_TOTO, IN_TOTO] }, 'attestation', IN_TOTO],
  [
    'a newer attestation of BuildKit',
    {
      artifactType: 'application/vnd.docker.attestation.manifest.v1+json',
      config: EMPTY,
      layers: [IN_TOTO],
      subject,
    },
    'attestation',
    'application/vnd.docker.attestation.manifest.v1+json',
  ],
  ['an SBOM of cosign under a tag', { config: IMAGE_CONFIG, layers: ['text/spdx+json'] }, 'sbom', 'text/spdx+json'],
  [
    'an SBOM as a referrer',
    {
      artifactType: 'application/vnd.cyclonedx+json',
      config: EMPTY,
      layers: ['application/vnd.cyclonedx+json'],
      subject,
    },
    'sbom',
    'application/vnd.cyclonedx+json',
  ],
  [
    'an SBOM of SPDX by ORAS',
    { artifactType: 'application/spdx+json', config: EMPTY, layers: ['application/octet-stream'] },
    'sbom',
    'application/spdx+json',
  ],
  [
    'anything else about another',
    { artifactType: 'application/vnd.example+json', config: EMPTY, layers: [TAR], subject },
    'other',
    'application/vnd.example+json',
  ],
  ['an image about another', { config: IMAGE_CONFIG, layers: [TAR], subject }, 'other', TAR],
  ['one with a type in capitals', { artifactType: 'Application/SPDX+JSON; a=b' }, 'sbom', 'application/spdx+json'],
])('%s', (_, manifest, kind, artifactType) => {
  const { kind: found, artifactType: type } = read(manifest);
  expect([found, type]).toEqual([kind, artifactType]);
});

test('one layer of a signature makes no signature of an image', () => {
  const manifest = { config: IMAGE_CONFIG, layers: [TAR, 'application/vnd.dev.cosign.simplesigning.v1+json'] };
  expect(read(manifest).kind).toBe('image');
});

test('a hostile manifest is an image at most', () => {
  expect(read({ artifactType: { a: 1 }, config: 'x'.repeat(9000), annotations: [] }).kind).toBe('image');
  expect(read({ subject: { digest: 'nonsense', size: 1 } }).kind).toBe('image');
});

test('an entry of an index that attests to another is marked, whatever its platform', () => {
  const annotations = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': digest('1'),
  };
  const manifests = [
    { mediaType: OCI, digest: digest('1'), size: 1, platform: { os: 'linux', architecture: 'amd64' } },
    { mediaType: OCI, digest: digest('2'), size: 1, platform: { os: 'unknown', architecture: 'unknown' }, annotations },
  ];
  expect(readManifest(INDEX, Buffer.from(JSON.stringify({ manifests })))).toEqual({
    type: 'index',
    children: [
      { digest: digest('1'), mediaType: OCI, platform: { os: 'linux', architecture: 'amd64' } },
      { digest: digest('2'), mediaType: OCI, attests: true },
    ],
  });
});

test('layers are those that a client fetches from the registry, each once', () => {
  const layer = (fill: string, size: number, mediaType = TAR) => ({ mediaType, digest: digest(fill), size });
  const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
  const layers = [layer('1', 5), layer('2', 0), layer('1', 5), layer('3', 7, foreign)];
  const config = { mediaType: IMAGE_CONFIG, digest: digest('c'), size: 2 };
  expect(readManifest(OCI, Buffer.from(JSON.stringify({ config, layers })))).toMatchObject({
    bytes: 19,
    layers: [{ digest: digest('1'), size: 5 }],
  });
});

const hex = 'a'.repeat(64);
test.each([
  [`sha256-${hex}.sig`, 'signature'],
  [`sha256-${hex}.att`, 'attestation'],
  [`sha256-${hex}.sbom`, 'sbom'],
  [`sha256-${hex}`, 'list'],
  [`sha512-${hex}${hex}`, 'list'],
  [`sha256-${hex}.other`, undefined],
  [`sha256-${hex.slice(1)}.sig`, undefined],
  [`x-sha256-${hex}.sig`, undefined],
  ['latest', undefined],
  [undefined, undefined],
])('the tag %s says %s', (tag, kind) => {
  expect(kindOfTag(tag)).toBe(kind);
});

test('only what stands for itself is pulled', () => {
  const kinds = ['image', 'helm-chart', 'artifact', 'signature', 'attestation', 'sbom', 'other', 'list'] as const;
  expect(kinds.filter(isPulled)).toEqual(['image', 'helm-chart', 'artifact']);
});
