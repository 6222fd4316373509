import type { WeirEvent } from '@weir/events';
import type { Cube, Increment } from '../statistic';
import { IMAGE_DIMENSIONS, imageDimensions, platformsOf, textOf, wholeOf } from './fields';

/** Seed 004: who pulls which image, with what and from where; checks and downloads by the same. */
export const pulls: Cube = {
  name: 'pulls',
  summary: 'Pulls, checks and downloads by organization, image, platform, client, country and network.',
  description:
    'A pull is one image manifest that a client got; a check is a question whether an image has changed; a download is ' +
    'a pull whose layers were fetched, and bytes are what was fetched of them. Pulls minus downloads are pulls by ' +
    'clients that had the layers. What stands beside an image (signatures, attestations, SBOMs) is none of these. ' +
    'An anonymous pull has no organization, one by digest has no tag, and where a client, country or network is not ' +
    'known, it says so.',
  measures: {
    pulls: { summary: 'Image manifests that clients got.' },
    checks: { summary: 'Questions whether an image has changed.' },
    downloads: { summary: 'Pulls whose layers were fetched.' },
    bytes: { summary: 'Bytes of layers that were fetched.', unit: 'bytes' },
  },
  dimensions: {
    ...IMAGE_DIMENSIONS,
    tag: 'Tag, when the image was named by one.',
    platform: 'Platform with its variant: `linux/arm64/v8`.',
    client: 'Client, from its user agent: `docker`, `containerd`.',
    clientVersion: 'Version of the client.',
    country: 'Country of the source, ISO 3166-1.',
    network: 'Who runs the network that the source is in: a company, a provider.',
    cloud: 'Cloud that the network belongs to: `aws`, `azure`, `gcp`.',
    fusion: '`true` where the image uses Fusion, `false` where the publisher says that it does not.',
    kind: 'What was pulled: `image`, `helm-chart` or `artifact`.',
    pattern: 'Rhythm of the source in this repository: `production-or-poller`, `development` or `unknown`.',
  },
  groups: [
    ['organization'],
    ['repository'],
    ['repository', 'tag'],
    ['platform'],
    ['architecture'],
    ['client'],
    ['client', 'clientVersion'],
    ['country'],
    ['network'],
    ['cloud'],
    ['fusion'],
    ['kind'],
    ['pattern'],
    // What an organization may ask about itself.
    ['organization', 'repository'],
    ['organization', 'architecture'],
    ['organization', 'client'],
    // What the maintainers of an image ask about it.
    ['repository', 'architecture'],
    ['repository', 'client'],
    ['repository', 'country'],
    ['repository', 'network'],
  ],
  latest: [['repository'], ['repository', 'tag']],
  increments(event) {
    const measures = measuresOf(event);
    if (measures === undefined) return none;
    return [{ measures, dimensions: dimensionsOf(event), latest: event.type !== 'io.weir.check' }];
  },
};

const none: readonly Increment[] = [];
const one = { pulls: { pulls: 1 }, checks: { checks: 1 } };

function measuresOf(event: WeirEvent): Increment['measures'] | undefined {
  switch (event.type) {
    case 'io.weir.pull':
      return one.pulls;
    case 'io.weir.check':
      return one.checks;
    case 'io.weir.download':
      // Files and data sets are downloaded, too (seed 003); they are no images.
      return textOf(event.data, 'repository') === undefined
        ? undefined
        : { downloads: 1, bytes: wholeOf(event, 'bytes') };
    default:
      return undefined;
  }
}

function dimensionsOf(event: WeirEvent): Increment['dimensions'] {
  const { data } = event;
  const { fusion } = data;
  // Spelled out: to spread them costs more than all the rest of the statistic.
  const { organization, repository, architecture } = imageDimensions(event);
  return {
    organization,
    repository,
    architecture,
    tag: textOf(data, 'tag'),
    platform: platformsOf(event),
    client: textOf(data, 'client', 'name'),
    clientVersion: textOf(data, 'client', 'version'),
    country: textOf(data, 'country'),
    network: textOf(data, 'network', 'name'),
    cloud: textOf(data, 'network', 'cloud'),
    fusion: typeof fusion === 'boolean' ? String(fusion) : undefined,
    kind: textOf(data, 'kind'),
    pattern: textOf(data, 'pattern'),
  };
}
