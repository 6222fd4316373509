import { BlockList, isIP } from 'node:net';
import type { Capability } from '@weir/registry';
import { bareHost } from '../addresses';

/**
 * Addresses of one machine or one network (RFC 1918, 3927, 4193, 4291), where go-containerregistry draws the line: not where
 * `isPublicAddress` does, which asks whether a host can be there at all.
 */
const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 32],
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  // prettier-ignore
  PRIVATE.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  // prettier-ignore
  PRIVATE.addSubnet(network, bits, 'ipv6');

/**
 * Does this client go where it is sent? Some refuse an IP address of a private network that is not the one they
 * asked themselves: `http://10.0.0.5:5000` behind `https://images.example.com`.
 */
export function takesRedirectTo(url: string, askedHost: string | undefined, can: Capability | undefined): boolean {
  if (!can?.refusesPrivateAddress) return true;
  const to = new URL(url).hostname;
  const asked = `http://${askedHost ?? ''}`;
  return !isPrivate(to) || (URL.canParse(asked) && new URL(asked).hostname === to);
}

function isPrivate(hostname: string): boolean {
  const address = bareHost(hostname);
  const family = isIP(address);
  return family !== 0 && PRIVATE.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
