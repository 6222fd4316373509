import { BlockList, isIP } from 'node:net';

/** Networks that are no host's on the internet: IANA's special-purpose registries of IPv4 (RFC 6890) and multicast. */
const SPECIAL_IPV4 = blockList([
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
  '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24',
  '224.0.0.0/3',
]); // prettier-ignore
/** Of these no server of anybody's is ever named by: unspecified, link-local (cloud metadata), multicast, reserved. */
const UNUSABLE_IPV4 = blockList(['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3']);

/** Is this an address on the public internet? No for anything that is no address. */
export function isPublicAddress(address: string): boolean {
  const ipv4 = ipv4In(address);
  if (ipv4 !== undefined) return !SPECIAL_IPV4.check(ipv4);
  const [first, second] = groupsOf(address) ?? [];
  if (first === undefined || second === undefined) return false;
  // RFC 4291: 2000::/3 is global unicast; in it Teredo and its neighbours (2001::/23), documentation, 6to4.
  if (first === 0x2001) return second > 0x01ff && second !== 0x0db8;
  return first >= 0x2000 && first <= 0x3ffe && first !== 0x2002;
}

/** May a host name stand for this address at all, be it in a private network? */
export function isUsableAddress(address: string): boolean {
  const ipv4 = ipv4In(address);
  if (ipv4 !== undefined) return !UNUSABLE_IPV4.check(ipv4);
  const groups = groupsOf(address);
  if (groups === undefined || groups.every((group) => group === 0)) return false;
  const first = groups[0] ?? 0;
  return (first < 0xfe80 || first > 0xfebf) && first < 0xff00;
}

/** The network that one subscriber has: an IPv4 address, the /64 of an IPv6 address; anything else as it is. */
export function subscriberOf(address: string): string {
  const ipv4 = ipv4In(address);
  if (ipv4 !== undefined) return ipv4;
  const groups = groupsOf(address);
  if (groups === undefined) return address;
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** An IPv4 address, also one inside an IPv6 address: mapped (`::ffff:0:0/96`), or through NAT64 (`64:ff9b::/96`). */
function ipv4In(address: string): string | undefined {
  if (isIP(address) === 4) return address;
  const groups = groupsOf(address);
  if (groups === undefined) return undefined;
  const prefix = groups.slice(0, 6).join();
  if (prefix !== [0, 0, 0, 0, 0, 0xffff].join() && prefix !== [0x64, 0xff9b, 0, 0, 0, 0].join()) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The name or address in the host of a URL, as a resolver and a socket take it: IPv6 without brackets. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** The eight groups of an IPv6 address, its zone left out; undefined for anything else. */
function groupsOf(address: string): number[] | undefined {
  const [text = ''] = address.split('%', 1);
  if (isIP(text) !== 6) return undefined;
  // The URL parser writes every IPv6 address in one way: RFC 5952, no dotted end.
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const numbers = (part: string) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)));
  if (tail === undefined) return numbers(head);
  const [before, after] = [numbers(head), numbers(tail)];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    list.addSubnet(address, Number(bits), 'ipv4');
  }
  return list;
}
