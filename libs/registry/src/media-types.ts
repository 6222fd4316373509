/** The media types by which a pull is recognised: seed 000, "Store Pulls". */
export const imageManifestTypes: readonly string[] = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.docker.distribution.manifest.v1+json',
];

/** An index (OCI) or manifest list (Docker): a step on the way to an image, never a pull. */
export const indexTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/** The media type of a `Content-Type` header: lower case, without parameters such as `; charset=utf-8`. */
export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').slice(0, 255).split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Is this the `Content-Type` of an image manifest (one of four media types, seed 000)? */
export function isImageManifest(contentType: string | undefined): boolean {
  return imageManifestTypes.includes(mediaTypeOf(contentType));
}

/** Is this the `Content-Type` of an index or manifest list? */
export function isIndex(contentType: string | undefined): boolean {
  return indexTypes.includes(mediaTypeOf(contentType));
}
