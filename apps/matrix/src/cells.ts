import type { Abilities, ClientName, Pull } from './clients/client';
import {
  AMD64,
  ARM64,
  attestationOf,
  helmChartOf,
  imageOf,
  indexOf,
  nameOf,
  plainArtifactOf,
  signatureOf,
  signatureTagOf,
  type Content,
  type Platform,
} from './images';
import type { Expected } from './judge';
import type { UpstreamName } from './upstreams';

/** One thing to pull and how, for every client and mode: what is in the registry, and what must be counted. */
export interface Cell {
  /** Names it in the table and on the command line. */
  image: string;
  about: string;
  upstream: UpstreamName;
  /** An ability that a client must have. */
  needs?: 'artifacts' | 'schema1';
  /** Pushed under `tag`; `unique` makes it another content for every client and mode. */
  content(unique: string): Content;
  tagOf?: (content: Content) => string;
  /** Pushed by skopeo in the old schema 1 instead. */
  schema1?: true;
  /** What the client is told to do, one after the other. */
  pulls(content: Content, client: Abilities): Pick<Pull, 'reference' | 'platforms'>[];
  expected(client: Abilities): Expected;
}

export const TAG = 'v1';

/** The platform that clients take on this machine, and another one. */
const own: Platform = process.arch === 'arm64' ? ARM64 : AMD64;
const other: Platform = own === AMD64 ? ARM64 : AMD64;
const both = [nameOf(AMD64), nameOf(ARM64)];

const onePull: Expected = {
  pulls: 1,
  checks: 0,
  arch: [nameOf(own)],
  kinds: ['image'],
  referrers: 0,
  downloads: 1,
};
const twoPulls: Expected = { ...onePull, pulls: 2, arch: both, kinds: ['image', 'image'], downloads: 2 };
const byTag = { reference: `:${TAG}`, platforms: 'own' } as const;

const single = (unique: string): Content => imageOf(unique, own, 'docker');
const twoPlatforms = (unique: string): Content =>
  indexOf([imageOf(unique, AMD64, 'oci'), imageOf(unique, ARM64, 'oci')], 'oci');

/** As buildkit pushes an image of two platforms: each with its attestation, all in one index. */
function attested(unique: string): Content {
  const images = [imageOf(unique, AMD64, 'oci'), imageOf(unique, ARM64, 'oci')];
  return indexOf([...images, ...images.map(attestationOf)], 'oci');
}

/** Every platform: at once where the client can, otherwise one after the other, as a person would. */
const eachPlatform = (client: Abilities): Pick<Pull, 'reference' | 'platforms'>[] => [
  { reference: `:${TAG}`, platforms: client.wholeIndex ? 'all' : [own, other] },
];

export const cells: readonly Cell[] = [
  {
    image: 'single',
    about: 'an image, Docker media types',
    upstream: 'open',
    content: single,
    pulls: () => [byTag],
    expected: () => onePull,
  },
  {
    image: 'index',
    about: 'an OCI index of two platforms',
    upstream: 'open',
    content: twoPlatforms,
    pulls: () => [byTag],
    expected: () => onePull,
  },
  {
    image: 'list',
    about: 'a Docker manifest list of two platforms',
    upstream: 'open',
    content: (unique) => indexOf([imageOf(unique, AMD64, 'docker'), imageOf(unique, ARM64, 'docker')], 'docker'),
    pulls: () => [byTag],
    expected: () => onePull,
  },
  {
    image: 'attested',
    about: 'an index of two platforms, each with an attestation',
    upstream: 'open',
    content: attested,
    pulls: () => [byTag],
    expected: () => onePull,
  },
  {
    image: 'twice',
    about: 'an index of two platforms, pulled again when its layers are there',
    upstream: 'open',
    content: twoPlatforms,
    pulls: () => [byTag, byTag],
    expected: ({ again }) =>
      again === 'check'
        ? { ...onePull, checks: 1 }
        : { ...onePull, pulls: 2, arch: [nameOf(own), nameOf(own)], kinds: ['image', 'image'] },
  },
  {
    image: 'digest',
    about: 'an index of two platforms, by its digest',
    upstream: 'open',
    content: twoPlatforms,
    pulls: ({ manifest }) => [{ reference: `@${manifest.digest}`, platforms: 'own' }],
    expected: () => onePull,
  },
  {
    image: 'all-platforms',
    about: 'an index of two platforms, all of them',
    upstream: 'open',
    content: twoPlatforms,
    pulls: (_, client) => eachPlatform(client),
    expected: () => twoPulls,
  },
  {
    image: 'attested-all',
    about: 'an index of two platforms with attestations, all of it',
    upstream: 'open',
    content: attested,
    pulls: (_, client) => eachPlatform(client),
    expected: ({ wholeIndex }) => ({
      ...twoPulls,
      kinds: ['image', 'image', ...(wholeIndex ? ['attestation', 'attestation'] : [])],
      referrers: wholeIndex ? 2 : 0,
    }),
  },
  {
    image: 'schema1',
    about: 'an image in the old schema 1',
    upstream: 'open',
    needs: 'schema1',
    content: single,
    schema1: true,
    pulls: () => [byTag],
    expected: () => onePull,
  },
  {
    image: 'helm-chart',
    about: 'a Helm chart',
    upstream: 'open',
    needs: 'artifacts',
    content: helmChartOf,
    pulls: () => [byTag],
    expected: () => ({ ...onePull, arch: [], kinds: ['helm-chart'] }),
  },
  {
    image: 'artifact',
    about: 'an OCI artifact of a type of its own',
    upstream: 'open',
    needs: 'artifacts',
    content: plainArtifactOf,
    pulls: () => [byTag],
    expected: () => ({ ...onePull, arch: [], kinds: ['artifact'] }),
  },
  {
    image: 'signature',
    about: "the signature beside an image, by cosign's tag",
    upstream: 'open',
    needs: 'artifacts',
    content: (unique) => signatureOf(single(unique)),
    tagOf: (content) => signatureTagOf(content),
    pulls: (content) => [{ reference: `:${signatureTagOf(content)}`, platforms: 'own' }],
    expected: () => ({ pulls: 0, checks: 0, arch: [], kinds: ['signature'], referrers: 1, downloads: 0 }),
  },
  {
    image: 'basic',
    about: 'an index of two platforms, private, behind a user and a password',
    upstream: 'basic',
    content: twoPlatforms,
    pulls: () => [byTag],
    expected: () => ({ ...onePull, organization: true }),
  },
  {
    image: 'token',
    about: 'an index of two platforms, private, behind bearer tokens',
    upstream: 'token',
    content: twoPlatforms,
    pulls: () => [byTag],
    expected: () => onePull,
  },
  {
    image: 'elsewhere',
    about: 'an index of two platforms, private, of a registry that redirects to another host',
    upstream: 'elsewhere',
    content: twoPlatforms,
    pulls: () => [byTag],
    expected: () => ({ ...onePull, organization: true }),
  },
];

/** Why a client cannot play a cell, where it cannot. */
export function lacks(cell: Cell, client: ClientName, abilities: Abilities): string | undefined {
  if (cell.needs === undefined || abilities[cell.needs]) return undefined;
  const what = { artifacts: 'fetches images only', schema1: 'knows no schema 1' };
  return `${client} ${what[cell.needs]}`;
}
