/** What stands behind the media type of an image manifest: an image or chart, or what somebody says about one. */
export type ManifestKind = 'image' | 'helm-chart' | 'artifact' | 'signature' | 'attestation' | 'sbom' | 'other';

/** What of a manifest tells its kind; every media type lower case and without parameters. */
export interface Traits {
  /** The manifest's own `artifactType`. */
  artifactType: string | undefined;
  /** Media type of the configuration. */
  config: string | undefined;
  /** Media types of the layers, in their order. */
  layers: readonly string[];
  /** Does it name another manifest as its `subject`? */
  hasSubject: boolean;
  annotations: Readonly<Record<string, unknown>>;
}

interface Rule {
  kind: ManifestKind;
  /** `artifactType`, or where there is none the type of the configuration: one of these, exactly or up to a `*`. */
  types: readonly string[];
  /** Or every layer is one of these. */
  layers?: readonly string[];
  /** Only with one of these values of an annotation. */
  annotation?: { name: string; values: readonly string[] };
}

/** The types of a configuration with which a manifest is an image; schema 2 began with `octet-stream`. */
const IMAGE_CONFIGS: readonly string[] = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
  'application/octet-stream',
];

const SBOM = ['application/spdx+json', 'text/spdx*', 'application/vnd.cyclonedx*', 'application/vnd.syft+json'];
const BUNDLE = ['application/vnd.dev.sigstore.bundle*'];

/**
 * The table; the first rule that fits decides. Its entries are what the tools write that people use (November 2026):
 * cosign 1 to 3 (tags, referrers, bundles), notation, BuildKit, GitHub's attestations, in-toto, SPDX, CycloneDX and Syft
 * as cosign, Trivy and ORAS attach them, Helm. Raise the version with every change.
 */
export const kindTable: { version: number; rules: readonly Rule[] } = {
  version: 1,
  rules: [
    { kind: 'helm-chart', types: ['application/vnd.cncf.helm.config.v1+json'] },
    {
      kind: 'signature',
      types: [
        'application/vnd.dev.cosign.artifact.sig.v1+json',
        'application/vnd.dev.cosign.simplesigning.v1+json',
        'application/vnd.cncf.notary.signature',
        'application/vnd.cncf.notary.v2.signature',
      ],
      layers: ['application/vnd.dev.cosign.simplesigning.v1+json', 'application/jose+json', 'application/cose'],
    },
    // A bundle is either; it says which in its annotations (sigstore bundle specification, "OCI").
    {
      kind: 'signature',
      types: BUNDLE,
      layers: BUNDLE,
      annotation: { name: 'dev.sigstore.bundle.content', values: ['message-signature'] },
    },
    {
      kind: 'signature',
      types: BUNDLE,
      layers: BUNDLE,
      annotation: { name: 'dev.sigstore.bundle.predicateType', values: ['https://sigstore.dev/cosign/sign/v1'] },
    },
    {
      kind: 'attestation',
      types: [
        ...BUNDLE,
        'application/vnd.docker.attestation.manifest.v1+json',
        'application/vnd.in-toto*',
        'application/vnd.dsse.envelope.v1+json',
        'application/vnd.dev.cosign.artifact.att.v1+json',
      ],
      layers: [...BUNDLE, 'application/vnd.in-toto*', 'application/vnd.dsse.envelope.v1+json'],
    },
    {
      kind: 'sbom',
      types: [...SBOM, 'application/vnd.dev.cosign.artifact.sbom.v1+json', 'application/vnd.oci.artifact.sbom.v1+json'],
      layers: SBOM,
    },
  ],
};

/** The kind of a manifest, and for all but images the media type that says what it is. */
export function kindOfManifest(traits: Traits): { kind: ManifestKind; artifactType?: string } {
  const type = traits.artifactType ?? traits.config;
  const isImage = type === undefined || IMAGE_CONFIGS.includes(type);
  const rule = kindTable.rules.find((candidate) => fits(candidate, type, traits));
  if (rule === undefined && isImage && !traits.hasSubject) return { kind: 'image' };
  const kind = rule?.kind ?? (traits.hasSubject ? 'other' : 'artifact');
  // Old attachments claim to be images; what they are is in their layers.
  const artifactType = isImage ? traits.layers[0] : type;
  return { kind, ...(artifactType ? { artifactType } : {}) };
}

function fits(rule: Rule, type: string | undefined, { layers, annotations }: Traits): boolean {
  const { annotation, layers: ofLayers = [] } = rule;
  if (annotation !== undefined && !annotation.values.includes(String(annotations[annotation.name]))) return false;
  if (type !== undefined && rule.types.some((pattern) => matches(pattern, type))) return true;
  return layers.length > 0 && layers.every((layer) => ofLayers.some((pattern) => matches(pattern, layer)));
}

function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}

const SUFFIXES: Readonly<Record<string, ManifestKind>> = { sig: 'signature', att: 'attestation', sbom: 'sbom' };

/**
 * What a tag says that clients make up from a digest: `sha256-<hex>.sig`, `.att` and `.sbom` of cosign, and
 * `sha256-<hex>` alone, the list of referrers of a registry that has no API for it (distribution specification 1.1,
 * "Referrers Tag Schema"). Undefined for every other tag.
 */
export function kindOfTag(tag: string | undefined): ManifestKind | 'list' | undefined {
  const found = /^sha(?:256-[a-f0-9]{64}|512-[a-f0-9]{128})(?:\.(sig|att|sbom))?$/.exec(tag ?? '');
  if (found === null) return undefined;
  return found[1] === undefined ? 'list' : SUFFIXES[found[1]];
}

/** Is this kind of manifest pulled for its own sake, rather than for what it says about another? */
export function isPulled(kind: ManifestKind | 'list'): boolean {
  return kind === 'image' || kind === 'helm-chart' || kind === 'artifact';
}
