/** What an image was built for, as the OCI image index says it (image specification, "image index", `platform`). */
export interface Platform {
  os: string;
  /** A GOARCH value: `amd64`, `arm64`, `arm` … */
  architecture: string;
  /** `v6`, `v7`, `v8` … of ARM; rarely of others. */
  variant?: string;
  /** Of Windows, whose images run on one build of it alone: `10.0.17763`, without the revision. */
  osVersion?: string;
}

/** Short enough that the three parts of a platform fit into an event's 64 characters. */
const PART = /^[a-z0-9][a-z0-9._-]{0,19}$/;
const WINDOWS_BUILD = /^\d{1,2}\.\d{1,2}\.\d{1,5}(?=\.|$)/;
/** `windows(10.0.17763)`: how containerd writes an operating system of one version. */
const VERSIONED = /^([^()]*)\(([^()]*)\)$/;

/** Names that kernels and older tools give to an architecture, with the variant that some of them mean. */
const ALIASES: Readonly<Record<string, { architecture: string; variant?: string }>> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armv7l: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  armv6l: { architecture: 'arm', variant: 'v6' },
  i386: { architecture: '386' },
  i686: { architecture: '386' },
  x86: { architecture: '386' },
};

/** The variant that an architecture has when nobody names one. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { arm: 'v7', arm64: 'v8' };

/** Reads `os/architecture[/variant]`, such as `linux/arm64/v8`; undefined when it is none. */
export function parsePlatform(text: string): Platform | undefined {
  const [system = '', architecture, variant, ...rest] = text.slice(0, 128).split('/');
  const [, os = system, version] = VERSIONED.exec(system) ?? [];
  return rest.length > 0 ? undefined : platformFrom({ os, architecture, variant, 'os.version': version });
}

/** `linux/arm64/v8`, `windows(10.0.17763)/amd64`: the text form that events carry. */
export function formatPlatform({ os, architecture, variant, osVersion }: Platform): string {
  const system = osVersion ? `${os}(${osVersion})` : os;
  return variant ? `${system}/${architecture}/${variant}` : `${system}/${architecture}`;
}

/**
 * The platform in a piece of JSON that has `os`, `architecture` and perhaps `variant`: an index's descriptor or an
 * image's configuration. Undefined when it names none or names it `unknown`, as build attestations do.
 *
 * One platform has one spelling, as with the clients that choose among them (containerd platforms, `normalizeArch`):
 * `aarch64` and `arm64` are `arm64/v8`, `arm` is `arm/v7`, `x86_64` and `amd64/v1` are `amd64`.
 */
export function platformFrom(json: unknown): Platform | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { os, architecture, variant, 'os.version': version } = json as Record<string, unknown>;
  const [system, machine] = [part(os), part(architecture)];
  if (system === undefined || machine === undefined || system === 'unknown' || machine === 'unknown') return undefined;
  const build = system === 'windows' && typeof version === 'string' ? WINDOWS_BUILD.exec(version)?.[0] : undefined;
  return {
    os: system === 'macos' ? 'darwin' : system,
    ...normal(machine, part(variant)),
    ...(build === undefined ? {} : { osVersion: build }),
  };
}

function normal(machine: string, named: string | undefined): { architecture: string; variant?: string } {
  const { architecture, variant: implied } = ALIASES[machine] ?? { architecture: machine };
  const variant = implied ?? variantOf(architecture, named) ?? DEFAULT_VARIANT[architecture];
  return { architecture, ...(variant === undefined ? {} : { variant }) };
}

/** ARM's `7` is `v7`; the first level of amd64, and any of 386, is what the name says already. */
function variantOf(architecture: string, named: string | undefined): string | undefined {
  if (architecture.startsWith('arm') && /^\d$/.test(named ?? '')) return `v${named}`;
  if (architecture === '386' || (architecture === 'amd64' && named === 'v1')) return undefined;
  return named;
}

function part(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return PART.test(text) ? text : undefined;
}
