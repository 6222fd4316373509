import { readManifest, type Manifest } from '@weir/registry';
import { decodeConfig, decodeManifest, encodeConfig, encodeManifest, MAX_LEARNED_BYTES } from './learned';

const digest = (fill: string) => `sha256:${fill.repeat(64)}`;
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

const read = (type: string, json: unknown): Manifest => {
  const manifest = readManifest(type, Buffer.from(JSON.stringify(json)));
  if (manifest === undefined) throw new Error('no manifest');
  return manifest;
};

const child = (n: string, platform?: object) => ({ mediaType: OCI, digest: digest(n), size: 1, platform });

test.each([
  ['an image', OCI, { config: { digest: digest('c'), size: 100 }, layers: [{ digest: digest('1'), size: 1000 }] }],
  ['an image that says little', OCI, {}],
  ['schema 1', SCHEMA1, { architecture: 'arm' }],
  ['an index', INDEX, { manifests: [
    child('1', { os: 'linux', architecture: 'amd64' }),
    child('2', { os: 'linux', architecture: 'arm', variant: 'v6' }),
    child('3', { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.2227' }),
    child('4', { os: 'unknown', architecture: 'unknown' }),
    child('5'),
  ] }],
  ['an empty index', INDEX, { manifests: [] }],
])('what %s says is the same after it has been shared', (_, type, json) => {
  const manifest = read(type, json);
  expect(decodeManifest(encodeManifest(manifest) ?? '')).toEqual(manifest);
}); // prettier-ignore

test('so is a configuration, with the labels that were looked for', () => {
  const learned = {
    config: { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' }, labels: { 'io.example': 'v1' } },
    looked: ['io.example', 'other'],
  };
  expect(decodeConfig(encodeConfig(learned) ?? '')).toEqual(learned);
  expect(decodeConfig(encodeConfig({ config: { labels: {} }, looked: [] }) ?? '')).toEqual({
    config: { labels: {} },
    looked: [],
  });
});

test('what is too long is not shared', () => {
  const manifests = Array.from({ length: 1000 }, (_, n) => child(n.toString(16).padStart(4, '0').slice(-1)));
  expect(encodeManifest(read(INDEX, { manifests }))).toBeUndefined();
  const labels = { long: 'x'.repeat(MAX_LEARNED_BYTES) };
  expect(encodeConfig({ config: { labels }, looked: ['long'] })).toBeUndefined();
});

const image = { type: 'image', kind: 'image', layers: [], bytes: 1, config: { digest: digest('c'), size: 1 } };
const manifest = (changes: object, around: object = { v: 1 }) =>
  JSON.stringify({ ...around, manifest: { ...image, ...changes } });

test.each([
  ['nothing', ''],
  ['no JSON', '{"v":1'],
  ['another kind of JSON', '[1]'],
  ['null', 'null'],
  ['another version', manifest({}, { v: 2 })],
  ['no version', manifest({}, {})],
  ['something beside it', manifest({}, { v: 1, by: 'x' })],
  ['another kind', manifest({ type: 'other' })],
  ['a configuration', encodeConfig({ config: { labels: {} }, looked: [] }) ?? ''],
  ['a digest that is none', manifest({ config: { digest: '../../x', size: 1 } })],
  ['a size below zero', manifest({ bytes: -1 })],
  ['a size that is no number', manifest({ bytes: '1' })],
  ['a size beyond counting', '{"v":1,"manifest":{"type":"image","kind":"image","layers":[],"bytes":1e300}}'],
  ['a platform that is none', manifest({ platform: 'linux/"><script>' })],
  ['an unknown platform', manifest({ platform: 'unknown/unknown' })],
  ['a field too many', manifest({ repository: 'made/up' })],
  ['too many children', JSON.stringify({ v: 1, manifest: { type: 'index', children: Array(1001).fill({ digest: digest('1'), mediaType: OCI }) } })],
  ['a child without a digest', JSON.stringify({ v: 1, manifest: { type: 'index', children: [{ mediaType: OCI }] } })],
])('%s is no manifest', (_, text) => {
  expect(decodeManifest(manifest({}))).toEqual(image);
  expect(decodeManifest(text)).toBeUndefined();
}); // prettier-ignore

test.each([
  ['a manifest', manifest({})],
  ['labels that are no text', '{"v":1,"config":{"labels":{"a":1}},"looked":[]}'],
  ['no word of what was looked for', '{"v":1,"config":{"labels":{}}}'],
])('%s is no configuration', (_, text) => expect(decodeConfig(text)).toBeUndefined());
