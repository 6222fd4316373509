/** OCI: names, references, media types, manifests, platforms, clients. Pure functions over outsiders' text. */
export { isDigest, isRepositoryName, isTag } from './grammar';
export { parseRegistryPath } from './path';
export type { PathErrorCode, Reference, RegistryPath } from './path';
export { formatImageReference, parseImageReference } from './image-reference';
export type { ImageReference } from './image-reference';
export { imageManifestTypes, indexTypes, isImageManifest, isIndex, mediaTypeOf } from './media-types';
export { readImageConfig, readManifest } from './manifest';
export type { Child, ImageConfig, Layer, Manifest } from './manifest';
export { isPulled, kindOfManifest, kindOfTag, kindTable } from './kinds';
export type { ManifestKind, Traits } from './kinds';
export { formatPlatform, parsePlatform, platformFrom } from './platform';
export type { Platform } from './platform';
export { capabilityOf, recognize, parseClient } from './client';
export type { Client } from './client';
export { clientTable } from './client-table';
export type { Capability, ClientEntry, Releases } from './client-table';
