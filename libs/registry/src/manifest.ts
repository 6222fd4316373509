import { isDigest } from './grammar';
import { kindOfManifest, type ManifestKind } from './kinds';
import { isImageManifest, isIndex, mediaTypeOf } from './media-types';
import { platformFrom, type Platform } from './platform';

/** An entry of an index: one image and what it was built for, where the index says so. */
export interface Child {
  digest: string;
  mediaType: string;
  platform?: Platform;
  /** The index says that it attests to another of its entries (BuildKit's `vnd.docker.reference.type`). */
  attests?: true;
}

/** A layer that clients fetch from the registry. */
export interface Layer {
  digest: string;
  /** Bytes; absent for schema 1. */
  size?: number;
}

/** What Weir wants to know of a manifest. */
export type Manifest =
  | {
      type: 'image';
      kind: ManifestKind;
      /** What it is, for all kinds but `image`: its `artifactType`, else the media type of its configuration. */
      artifactType?: string;
      /** Bytes of configuration and layers as the manifest states them, compressed; absent for schema 1. */
      bytes?: number;
      /** Where the platform is written down; absent for schema 1. */
      config?: { digest: string; size: number };
      /** Each digest once; without those that are empty or come from elsewhere. */
      layers: readonly Layer[];
      /** Only schema 1 says it in the manifest itself. */
      platform?: Platform;
    }
  | { type: 'index'; children: Child[] };

/** More children than any real index has; the rest of a longer one is not looked at. */
const MAX_CHILDREN = 1000;
const MAX_LAYERS = 10_000;
/** Layers whose fetching can be followed: more than any real image has. */
const MAX_FOLLOWED = 1000;
const MAX_TYPE = 255;

/**
 * Reads the body of a manifest by its `Content-Type`. Undefined when the type is neither an image nor an index, or the
 * body is not what the type promises: a manifest is an outsider's text, nothing in it is taken for granted.
 */
export function readManifest(contentType: string | undefined, body: Buffer): Manifest | undefined {
  const json = parseObject(body);
  if (json === undefined) return undefined;
  if (isIndex(contentType)) return { type: 'index', children: childrenOf(json['manifests']) };
  if (!isImageManifest(contentType)) return undefined;
  return mediaTypeOf(contentType).includes('.manifest.v1+') && mediaTypeOf(contentType).includes('docker')
    ? schema1(json)
    : image(json);
}

/** What Weir wants to know of an image's configuration (OCI image specification, "config"). */
export interface ImageConfig {
  platform?: Platform;
  labels: Readonly<Record<string, string>>;
}

/** Reads the configuration blob of an image; undefined when it is no JSON object. */
export function readImageConfig(body: Buffer): ImageConfig | undefined {
  const json = parseObject(body);
  if (json === undefined) return undefined;
  const platform = platformFrom(json);
  const labels = (json['config'] as { Labels?: unknown } | null | undefined)?.Labels;
  const pairs = typeof labels === 'object' && labels !== null ? Object.entries(labels) : [];
  return {
    ...(platform === undefined ? {} : { platform }),
    labels: Object.fromEntries(pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string')),
  };
}

function image(json: Record<string, unknown>): Manifest {
  const config = descriptor(json['config']);
  const entries: unknown[] = Array.isArray(json['layers']) ? json['layers'].slice(0, MAX_LAYERS) : [];
  const parts = [config, ...entries.map(descriptor)];
  const bytes = parts.reduce((sum, part) => sum + (part?.size ?? 0), 0);
  const traits = {
    artifactType: typeOf(json['artifactType']),
    config: typeOf(field(json['config'], 'mediaType')),
    layers: entries.map((entry) => typeOf(field(entry, 'mediaType')) ?? ''),
    hasSubject: descriptor(json['subject']) !== undefined,
    annotations: (field(json, 'annotations') ?? {}) as Record<string, unknown>,
  };
  return {
    type: 'image',
    ...kindOfManifest(traits),
    ...(parts.every((part) => part !== undefined) && Number.isSafeInteger(bytes) ? { bytes } : {}),
    ...(config === undefined ? {} : { config }),
    layers: followed(entries.filter((entry) => !isElsewhere(entry)).map(descriptor)),
  };
}

/** Schema 1 has no sizes and no configuration; it names its architecture, and Linux is what it was made for. */
function schema1(json: Record<string, unknown>): Manifest {
  const platform = platformFrom({ os: 'linux', architecture: json['architecture'] });
  const entries: unknown[] = Array.isArray(json['fsLayers']) ? json['fsLayers'].slice(0, MAX_LAYERS) : [];
  const digests = entries.map((entry) => field(entry, 'blobSum'));
  const layers = digests.flatMap((digest) => (typeof digest === 'string' && isDigest(digest) ? [{ digest }] : []));
  return { type: 'image', kind: 'image', layers: followed(layers), ...(platform === undefined ? {} : { platform }) };
}

function followed(layers: (Layer | undefined)[]): Layer[] {
  const byDigest = new Map<string, Layer>();
  for (const layer of layers) if (layer !== undefined && layer.size !== 0) byDigest.set(layer.digest, layer);
  return [...byDigest.values()].slice(0, MAX_FOLLOWED);
}

/** A layer that may not be distributed is fetched from its `urls`, not from a registry. */
function isElsewhere(entry: unknown): boolean {
  return /\.(foreign|nondistributable)\./.test(typeOf(field(entry, 'mediaType')) ?? '');
}

function childrenOf(manifests: unknown): Child[] {
  if (!Array.isArray(manifests)) return [];
  return manifests.slice(0, MAX_CHILDREN).flatMap((entry: unknown) => {
    const child = descriptor(entry);
    if (child === undefined) return [];
    const { mediaType, platform: named, annotations } = entry as Record<string, unknown>;
    const platform = platformFrom(named);
    return {
      digest: child.digest,
      mediaType: typeof mediaType === 'string' ? mediaTypeOf(mediaType) : '',
      ...(platform === undefined ? {} : { platform }),
      ...(field(annotations, 'vnd.docker.reference.type') === 'attestation-manifest' ? { attests: true as const } : {}),
    };
  });
}

function field(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>)[name] : undefined;
}

/** A media type as far as it can be one; undefined when it is none. */
function typeOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_TYPE) return undefined;
  return mediaTypeOf(value) || undefined;
}

function descriptor(value: unknown): { digest: string; size: number } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { digest, size } = value as { digest?: unknown; size?: unknown };
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  return { digest, size };
}

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(body.toString('utf8'));
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
