import { formatPlatform, parsePlatform } from '@weir/registry';

/** The canonical form of `os/architecture[/variant]`, or undefined when the text is none. */
export function canonicalPlatform(text: string): string | undefined {
  const platform = parsePlatform(text.trim());
  if (!platform) return undefined;
  const { os, architecture, variant } = platform;
  // Images of arm64 say v8 or nothing and mean the same (containerd platforms, normalizeArch).
  return formatPlatform(architecture === 'arm64' && variant === 'v8' ? { os, architecture } : platform);
}

const NODE_TO_GO: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** What a build makes when it is told no platform: the one of this machine. */
export function localPlatform(arch: string = process.arch): string {
  return `linux/${NODE_TO_GO[arch] ?? arch}`;
}
