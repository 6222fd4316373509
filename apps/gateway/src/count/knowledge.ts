import {
  formatPlatform,
  isImageManifest,
  isIndex,
  readImageConfig,
  readManifest,
  type ImageConfig,
  type Layer,
  type Manifest,
  type ManifestKind,
} from '@weir/registry';
import { isNamedBy } from '../digest';
import { createExpiring, createLru } from '../lru';
import type { Metrics } from '../metrics';
import type { SharedKnowledge } from './shared-knowledge';
import { readBody, type Upstream } from '../answer/upstream';

/** Largest manifest that is read; the distribution specification asks registries to take 4 MiB. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_CONFIG_BYTES = 2 * 1024 * 1024;
/** Entries of each memory; an entry is a few hundred bytes. */
const MAX_DIGESTS = 5_000;
/** Of all images that are remembered, and of all indexes. */
const MAX_LAYERS = 20_000;
const MAX_CHILDREN = 10_000;
const MISSING_TTL_MS = 10_000;

/** Where something is to be learned from, and on whose behalf. */
export interface Source {
  upstream: Upstream;
  /** Name at the upstream. */
  name: string;
  /** The client's own, for this one question. */
  authorization: string | undefined;
  signal: AbortSignal;
  /** Whether labels are wanted, which only the configuration has. */
  labels: boolean;
}

/** A manifest that an upstream has answered with. */
export interface Seen {
  contentType: string | undefined;
  digest: string | undefined;
  /** The manifest itself, where it went through the gateway. */
  body?: Buffer | undefined;
}

/** A manifest in its repository, as {@link placeOf} names it. */
export interface Found extends Seen {
  place: string;
}

/** What is known of a pulled image; every field is absent or undefined where it could not be learned. */
export interface Facts {
  /** `list` is one of referrers. */
  kind?: ManifestKind | 'list' | undefined;
  /** For all kinds but images: the media type that says what it is. */
  artifactType?: string | undefined;
  layers?: readonly Layer[] | undefined;
  /** Bytes of configuration and layers. */
  bytes?: number | undefined;
  /** `linux/arm64/v8`. */
  platform?: string | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * What the gateway has learned of manifests, by digest: contents that a digest names never change, so nothing here
 * ever becomes wrong, only forgotten. What an index says of an image counts in its own repository alone: whoever may
 * push to another one can list any image there, as whatever they like.
 */
export interface Knowledge {
  /** Remembers the children of an index, so that the next pull of one of them has its platform. */
  learnIndex(found: Found, from: Source | undefined): Promise<void>;
  /**
   * What is known of an image. Asks the upstream for manifest and configuration where they were never seen; without a
   * `from` nobody is asked.
   */
  learnImage(found: Found, from: Source | undefined): Promise<Facts>;
  /** {@link learnImage} where nobody has to be asked; otherwise undefined. `labels`: whether they are wanted. */
  all(found: Found, labels: boolean): Facts | undefined;
  /** What is known without asking anybody. */
  recall(found: Pick<Found, 'digest' | 'place'>): Facts;
  /** Is this image one of the index's, as far as the index is known? */
  isChild(index: string, digest: string): boolean;
  /** From now on these labels are kept; configurations that were read without one of them are forgotten. */
  want(labels: readonly string[]): void;
}

type Image = Extract<Manifest, { type: 'image' }>;
type Listed = Extract<Manifest, { type: 'index' }>['children'][number];

/** What an index says of an image; no platform where it names none. */
interface Child {
  digest: string;
  platform: string | undefined;
  attests: boolean;
}

/** `labels` are the names of those that rules look at; no others are kept. `shared` is asked before an upstream is. */
export function createKnowledge({
  labels,
  metrics,
  shared,
}: {
  labels: readonly string[];
  metrics: Metrics;
  shared?: SharedKnowledge | undefined;
}): Knowledge {
  let wanted = labels;
  const images = createLru<Image>(MAX_LAYERS, (image) => 2 + image.layers.length);
  const indexes = createLru<readonly Child[]>(MAX_CHILDREN, (listed) => 1 + listed.length);
  /** Of the indexes of each repository. */
  const children = createLru<Child>(MAX_CHILDREN);
  let configs = createLru<ImageConfig>(MAX_DIGESTS);
  /** Configurations that could not be had a moment ago: the next pull of the same image does not ask again. */
  const missing = createExpiring<true>(MAX_DIGESTS, MISSING_TTL_MS);
  const once = createSingleFlight();

  function childOf({ digest, place }: Pick<Found, 'digest' | 'place'>): Child | undefined {
    return digest === undefined ? undefined : children.get(`${place} ${digest}`);
  }

  async function manifestOf(seen: Seen, from: Source | undefined): Promise<Manifest | undefined> {
    const { digest, contentType } = seen;
    const type = isIndex(contentType) ? 'index' : 'image';
    const told = digest === undefined || seen.body ? undefined : await shared?.manifest(digest, type);
    if (digest !== undefined && told !== undefined) return keep(digest, told);
    const askable = digest !== undefined && from !== undefined;
    const body = seen.body ?? (askable ? await fetchManifest(digest, seen, from) : undefined);
    if (body === undefined) {
      metrics.unlearned.inc({ what: 'manifest' });
      return undefined;
    }
    const manifest = readManifest(contentType, body);
    // Only what a digest really names is kept under it. Schema 1 is signed inside its body: its digest is of less.
    if (manifest === undefined || digest === undefined || !isNamedBy(digest, body)) return manifest;
    shared?.tellManifest(digest, manifest);
    return keep(digest, manifest);
  }

  function keep(digest: string, manifest: Manifest): Manifest {
    if (manifest.type === 'image') images.set(digest, manifest);
    else indexes.set(digest, manifest.children.map(listed));
    return manifest;
  }

  function fetchManifest(digest: string, seen: Seen, from: Source): Promise<Buffer | undefined> {
    const accept = seen.contentType ?? '*/*';
    return once(digest, () => fetchBody(from, `manifests/${digest}`, accept, MAX_MANIFEST_BYTES));
  }

  async function configOf(image: Image, from: Source | undefined): Promise<ImageConfig | undefined> {
    const config = readableConfig(image);
    if (config === undefined) return undefined;
    // Those of now: what comes when others are wanted is not remembered.
    const [memory, names] = [configs, wanted];
    const known = memory.get(config.digest) ?? (await shared?.config(config.digest, names));
    if (known !== undefined) memory.set(config.digest, known);
    if (known !== undefined || from === undefined || missing.get(config.digest)) return known;
    const body = await once(config.digest, () => fetchBody(from, `blobs/${config.digest}`, '*/*', MAX_CONFIG_BYTES));
    const read = body && isNamedBy(config.digest, body) ? readImageConfig(body) : undefined;
    if (read === undefined) {
      metrics.unlearned.inc({ what: 'configuration' });
      missing.set(config.digest, true);
      return undefined;
    }
    const kept = {
      ...read,
      labels: Object.fromEntries(Object.entries(read.labels).filter(([name]) => names.includes(name))),
    };
    memory.set(config.digest, kept);
    shared?.tellConfig(config.digest, { config: kept, looked: names });
    return kept;
  }

  function recall(found: Pick<Found, 'digest' | 'place'>): Facts {
    const image = found.digest === undefined ? undefined : images.get(found.digest);
    return facts(image, childOf(found), image?.config && configs.get(image.config.digest));
  }

  return {
    async learnIndex(found, from) {
      const { digest, place } = found;
      if (digest === undefined || !isIndex(found.contentType)) return;
      if (indexes.get(digest) === undefined) await manifestOf(found, from);
      for (const child of indexes.get(digest) ?? []) children.set(`${place} ${child.digest}`, child);
    },
    async learnImage(found, from) {
      if (!isImageManifest(found.contentType)) return {};
      const known = found.digest === undefined ? undefined : images.get(found.digest);
      const image = known ?? (await manifestOf(found, from));
      if (image?.type !== 'image') return recall(found);
      const child = childOf(found);
      // Where an index names no platform, or says `unknown/unknown`, the image itself may know better.
      const config = child?.platform === undefined || from?.labels ? await configOf(image, from) : undefined;
      return facts(image, child, config);
    },
    all(found, labels) {
      const image = found.digest === undefined ? undefined : images.get(found.digest);
      if (image === undefined) return undefined;
      const child = childOf(found);
      const needsConfig = (child?.platform === undefined || labels) && readableConfig(image) !== undefined;
      const config = needsConfig && image.config ? configs.get(image.config.digest) : undefined;
      return needsConfig && config === undefined ? undefined : facts(image, child, config);
    },
    recall,
    isChild: (index, digest) => indexes.get(index)?.some((child) => child.digest === digest) ?? false,
    want(names) {
      if (!names.every((name) => wanted.includes(name))) configs = createLru(MAX_DIGESTS);
      wanted = names;
    },
  };
}

/** The name of a repository, the same for all names that rules give it. */
export function placeOf({ upstream, name }: { upstream: { name: string }; name: string }): string {
  return `${upstream.name} ${name}`;
}

function listed({ digest, platform, attests }: Listed): Child {
  return { digest, platform: platform && formatPlatform(platform), attests: attests === true };
}

/** Only the configuration of an image has a platform. */
function readableConfig({ config, kind }: Image): Image['config'] {
  return kind === 'image' && config !== undefined && config.size <= MAX_CONFIG_BYTES ? config : undefined;
}

function facts(image: Image | undefined, child: Child | undefined, config: ImageConfig | undefined): Facts {
  const own = config?.platform ?? image?.platform;
  const platform = child?.platform ?? (own && formatPlatform(own));
  const kind = child?.attests ? 'attestation' : image?.kind;
  const { artifactType, layers, bytes } = image ?? {};
  return { kind, artifactType, layers, bytes, platform, labels: config?.labels };
}

/** The body of a manifest or blob, or undefined when there is none, it is too long, or it cannot be had. */
async function fetchBody(from: Source, path: string, accept: string, maxBytes: number): Promise<Buffer | undefined> {
  const { upstream, name, authorization, signal } = from;
  try {
    const answer = await upstream.ask({
      method: 'GET',
      path: `/v2/${name}/${path}`,
      headers: { accept, 'user-agent': 'weir', ...(authorization === undefined ? {} : { authorization }) },
      signal,
      elsewhere: 'follow',
    });
    return await readBody(answer, maxBytes);
  } catch {
    return undefined; // counted by the caller: an event without a platform is worth more than none
  }
}

/** Of many who ask for the same thing at the same time, one goes; all get its answer. */
function createSingleFlight() {
  const flying = new Map<string, Promise<Buffer | undefined>>();
  return (key: string, go: () => Promise<Buffer | undefined>): Promise<Buffer | undefined> => {
    const flight = flying.get(key) ?? go().finally(() => flying.delete(key));
    flying.set(key, flight);
    return flight;
  };
}
