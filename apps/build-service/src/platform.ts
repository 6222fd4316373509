/** Other names of an architecture that people write; images use Go's names. */
const ALIASES: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' };
const GRAMMAR = /^[a-z0-9]{1,16}\/[a-z0-9_-]{1,16}(?:\/[a-z0-9.]{1,16})?$/;

/** The canonical form of `os/architecture[/variant]`, or undefined when the text is none. */
export function canonicalPlatform(text: string): string | undefined {
  const lower = text.trim().toLowerCase();
  if (!GRAMMAR.test(lower)) return undefined;
  const [os = '', architecture = '', variant] = lower.split('/');
  const name = ALIASES[architecture] ?? architecture;
  // Go images of arm64 say v8 or nothing and mean the same (containerd platforms, normalizeArch).
  const kept = name === 'arm64' && variant === 'v8' ? undefined : variant;
  return [os, name, ...(kept ? [kept] : [])].join('/');
}

const NODE_TO_GO: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  loong64: 'loong64',
};

/** What a build makes when it is told no platform: the one of this machine. */
export function localPlatform(arch: string = process.arch): string {
  return `linux/${NODE_TO_GO[arch] ?? arch}`;
}
