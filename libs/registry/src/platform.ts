/** What an image was built for, as the OCI image index says it (image specification, "image index", `platform`). */
export interface Platform {
  os: string;
  /** A GOARCH value: `amd64`, `arm64`, `arm` … */
  architecture: string;
  /** `v6`, `v7`, `v8` … of ARM; rarely of others. */
  variant?: string;
}

const PART = /^[a-z0-9][a-z0-9._-]{0,31}$/;

/** Names that kernels and older tools give to an architecture, and its GOARCH. */
const ALIASES: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386' };

/** Reads `os/architecture[/variant]`, such as `linux/arm64/v8`; undefined when it is none. */
export function parsePlatform(text: string): Platform | undefined {
  const [os, architecture, variant, ...rest] = text.slice(0, 128).split('/');
  return rest.length > 0 ? undefined : platformFrom({ os, architecture, variant });
}

/** `linux/arm64/v8`: the text form that events carry. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

/**
 * The platform in a piece of JSON that has `os`, `architecture` and perhaps `variant`: an index's descriptor or an
 * image's configuration. Undefined when it names none or names it `unknown`, as build attestations do.
 */
export function platformFrom(json: unknown): Platform | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { os, architecture, variant } = json as Record<string, unknown>;
  const [system, machine, kind] = [part(os), part(architecture), part(variant)];
  if (system === undefined || machine === undefined || machine === 'unknown') return undefined;
  return { os: system, architecture: ALIASES[machine] ?? machine, ...(kind === undefined ? {} : { variant: kind }) };
}

function part(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return PART.test(text) ? text : undefined;
}
