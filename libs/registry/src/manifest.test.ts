import { readImageConfig, readManifest } from './manifest';
import { isImageManifest, isIndex, mediaTypeOf } from './media-types';

const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const digest = (fill: string) => `sha256:${fill.repeat(64)}`;
const body = (json: unknown) => Buffer.from(JSON.stringify(json));

describe('media types', () => {
  test.each([
    ['application/vnd.docker.distribution.manifest.v2+json', true, false],
    ['application/vnd.oci.image.manifest.v1+json', true, false],
    ['application/vnd.docker.distribution.manifest.v1+prettyjws', true, false],
    ['application/vnd.docker.distribution.manifest.v1+json', true, false],
    ['application/vnd.oci.image.index.v1+json', false, true],
    ['application/vnd.docker.distribution.manifest.list.v2+json', false, true],
    ['application/vnd.oci.image.manifest.v1+json; charset=utf-8', true, false],
    ['Application/VND.OCI.Image.Manifest.v1+JSON ;x=y', true, false],
    ['application/json', false, false],
    ['application/vnd.oci.artifact.manifest.v1+json', false, false],
    ['text/html', false, false],
    [undefined, false, false],
  ])('%s: image manifest %s, index %s', (contentType, image, index) => {
    expect(isImageManifest(contentType)).toBe(image);
    expect(isIndex(contentType)).toBe(index);
  });

  test('parameters are no part of the media type', () => {
    expect(mediaTypeOf('text/html; charset=utf-8')).toBe('text/html');
  });
});

describe('manifests', () => {
  test('an image has the bytes of its configuration and layers', () => {
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('c'), size: 100 };
    const layers = [1, 2, 3].map((n) => ({ digest: digest(String(n)), size: n * 1000 }));
    expect(readManifest(OCI, body({ config, layers }))).toEqual({
      type: 'image',
      kind: 'image',
      bytes: 6100,
      config: { digest: digest('c'), size: 100 },
      layers,
    });
  });

  test('a layer without a size makes the total unknown rather than wrong', () => {
    const config = { digest: digest('c'), size: 100 };
    expect(readManifest(OCI, body({ config, layers: [{ digest: digest('1') }] }))).toEqual({
      type: 'image',
      kind: 'image',
      config,
      layers: [],
    });
  });

  test('an index lists its children with the platforms it gives them; an attestation has none', () => {
    const manifests = [
      { mediaType: OCI, digest: digest('1'), size: 1, platform: { os: 'linux', architecture: 'amd64' } },
      { mediaType: OCI, digest: digest('2'), size: 1, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
      { mediaType: OCI, digest: digest('3'), size: 1, platform: { os: 'unknown', architecture: 'unknown' } },
      { mediaType: OCI, digest: 'nonsense', size: 1 },
    ];
    expect(readManifest(INDEX, body({ manifests }))).toEqual({
      type: 'index',
      children: [
        { digest: digest('1'), mediaType: OCI, platform: { os: 'linux', architecture: 'amd64' } },
        { digest: digest('2'), mediaType: OCI, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
        { digest: digest('3'), mediaType: OCI },
      ],
    });
  });

  test('schema 1 names its architecture in the manifest', () => {
    const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
    const fsLayers = [{ blobSum: digest('1') }, { blobSum: digest('1') }, { blobSum: 'nonsense' }];
    expect(readManifest(type, body({ architecture: 'amd64', fsLayers }))).toEqual({
      type: 'image',
      kind: 'image',
      layers: [{ digest: digest('1') }],
      platform: { os: 'linux', architecture: 'amd64' },
    });
  });

  test.each([
    ['no JSON', OCI, Buffer.from('<html>')],
    ['no object', OCI, body([1])],
    ['another type', 'application/json', body({ config: {} })],
  ])('%s is no manifest', (_, type, text) => {
    expect(readManifest(type, text)).toBeUndefined();
  });

  test('a hostile manifest costs its fields, not the reader', () => {
    expect(readManifest(OCI, body({ config: { digest: 1 }, layers: 'x' }))).toEqual({
      type: 'image',
      kind: 'image',
      layers: [],
    });
    expect(readManifest(INDEX, body({ manifests: { length: 1e9 } }))).toEqual({
      type: 'index',
      children: [],
    });
    const many = Array.from({ length: 1500 }, () => ({ digest: digest('1'), size: 1 }));
    expect(readManifest(INDEX, body({ manifests: many }))).toMatchObject({ children: { length: 1000 } });
  });
});

describe('image configurations', () => {
  test('tell platform and labels', () => {
    const config = { os: 'linux', architecture: 'arm', variant: 'v7', config: { Labels: { a: 'b', n: 1 } } };
    expect(readImageConfig(body(config))).toEqual({
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
      labels: { a: 'b' },
    });
  });

  test('without labels or platform are still configurations', () => {
    expect(readImageConfig(body({ config: null }))).toEqual({ labels: {} });
    expect(readImageConfig(Buffer.from('nonsense'))).toBeUndefined();
  });
});
