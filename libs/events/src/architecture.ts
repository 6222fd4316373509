import type { WeirEvent } from './event';
import { memo } from './memo';

/** Other names of one architecture, as kernels and older clients say them (reference usage-metrics 1.4). */
const ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  i386: '386',
  i686: '386',
  x86: '386',
};

/** Go's GOARCH values that images are built for; the OCI image specification takes its list from there. */
const KNOWN: ReadonlySet<string> = new Set([
  'amd64', 'arm64', 'arm', '386', 'ppc64le', 'ppc64', 's390x', 'riscv64', 'loong64',
  'mips', 'mipsle', 'mips64', 'mips64le', 'wasm',
]); // prettier-ignore

/**
 * The canonical architecture of a platform (`linux/arm64/v8`) or of a bare architecture (`x86_64`): `arm64`, `amd64`.
 * Variants are folded into their architecture; a name on no list is `unknown`, so that no publisher can make keys up.
 */
export const architectureOf = memo((platform: string): string => {
  const parts = platform.trim().toLowerCase().split('/');
  const name = (parts.length > 1 ? parts[1] : parts[0]) ?? '';
  const canonical = ALIASES[name] ?? name;
  return KNOWN.has(canonical) ? canonical : 'unknown';
});

/** The distinct architectures of an event, from `data.platforms` or `data.platform`; empty when it names none. */
export function architecturesOf(event: Pick<WeirEvent, 'data'>): string[] {
  const { platform, platforms } = event.data as { platform?: unknown; platforms?: unknown };
  if (Array.isArray(platforms)) return [...new Set(platforms.filter(isText).map(architectureOf))];
  return isText(platform) ? [architectureOf(platform)] : [];
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
