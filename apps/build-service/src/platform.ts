import { formatPlatform, parsePlatform } from '@weir/registry';

/** The canonical form of `os/architecture[/variant]`, or undefined when the text is none. */
export function canonicalPlatform(text: string): string | undefined {
  const platform = parsePlatform(text.trim());
  return platform && formatPlatform(platform);
}

const NODE_TO_GO: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** What a build makes when it is told no platform: the one of this machine. */
export function localPlatform(arch: string = process.arch): string {
  const platform = `linux/${NODE_TO_GO[arch] ?? arch}`;
  return canonicalPlatform(platform) ?? platform;
}
