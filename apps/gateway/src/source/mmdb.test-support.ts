import { writeFile } from 'node:fs/promises';

/** What a record may be made of: a whole number becomes a uint32, as in the files that are published. */
export type MmdbValue = string | number | boolean | readonly MmdbValue[] | { readonly [name: string]: MmdbValue };

export interface MmdbFile {
  /** By network, `192.0.2.0/24` or `2001:db8::/32`; a later one lies over an earlier one. */
  networks: Readonly<Record<string, MmdbValue>>;
  databaseType?: string;
  /** 6 holds addresses of both versions. */
  ipVersion?: 4 | 6;
  recordSize?: 24 | 28 | 32;
}

/** Writes a file in the MaxMind DB format 2.0 (https://maxmind.github.io/MaxMind-DB/). */
export async function writeMmdb(path: string, file: MmdbFile): Promise<void> {
  await writeFile(path, mmdb(file));
}

type Node = [left: Branch, right: Branch];
type Branch = Node | { data: number } | undefined;
const isNode = (branch: Branch): branch is Node => Array.isArray(branch);

const SEPARATOR = Buffer.alloc(16);
const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');

export function mmdb({ networks, databaseType = 'Test', ipVersion = 6, recordSize = 28 }: MmdbFile): Buffer {
  const root: Node = [undefined, undefined];
  const data: Buffer[] = [];
  let offset = 0;
  for (const [network, value] of Object.entries(networks)) {
    const record = encode(value);
    insert(root, bitsOf(network, ipVersion), { data: offset });
    data.push(record);
    offset += record.length;
  }
  const nodes = flatten(root);
  const metadata = map([
    ['binary_format_major_version', uint(TYPES.uint16, 2)],
    ['binary_format_minor_version', uint(TYPES.uint16, 0)],
    ['build_epoch', uint(TYPES.uint64, 1_750_000_000)],
    ['database_type', encode(databaseType)],
    ['description', encode({ en: 'made for a test' })],
    ['ip_version', uint(TYPES.uint16, ipVersion)],
    ['languages', encode(['en'])],
    ['node_count', uint(TYPES.uint32, nodes.length)],
    ['record_size', uint(TYPES.uint16, recordSize)],
  ]);
  return Buffer.concat([treeOf(nodes, recordSize), SEPARATOR, ...data, MARKER, metadata]);
}

/** The bits of a network's prefix, as a path through the tree. IPv4 lies in the first 96 bits of zero. */
function bitsOf(network: string, ipVersion: 4 | 6): string {
  const [address = '', prefix = ''] = network.split('/');
  const bits = address.includes(':') ? bits6(address) : bits4(address);
  const padded = bits.length === 32 && ipVersion === 6 ? '0'.repeat(96) + bits : bits;
  return padded.slice(0, padded.length - bits.length + Number(prefix));
}

const binary = (value: number, width: number) => value.toString(2).padStart(width, '0');
const bits4 = (address: string) => address.split('.').map((part) => binary(Number(part), 8)).join(''); // prettier-ignore

function bits6(address: string): string {
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].map((group) => binary(Number.parseInt(group, 16), 16)).join('');
}

function insert(root: Node, path: string, leaf: { data: number }): void {
  let node = root;
  for (const bit of path.slice(0, -1)) {
    const side = Number(bit) as 0 | 1;
    const branch = node[side];
    const next: Node = isNode(branch) ? branch : [branch, branch];
    node[side] = next;
    node = next;
  }
  node[Number(path.at(-1)) as 0 | 1] = leaf;
}

function flatten(root: Node): Node[] {
  const nodes = [root];
  for (const node of nodes) for (const branch of node) if (isNode(branch)) nodes.push(branch);
  return nodes;
}

function treeOf(nodes: readonly Node[], recordSize: 24 | 28 | 32): Buffer {
  const numbers = new Map(nodes.map((node, n) => [node, n]));
  const record = (branch: Branch): number => {
    if (branch === undefined) return nodes.length;
    if (isNode(branch)) return numbers.get(branch) ?? 0;
    return nodes.length + SEPARATOR.length + branch.data;
  };
  return Buffer.concat(nodes.map(([left, right]) => nodeOf(record(left), record(right), recordSize)));
}

function nodeOf(left: number, right: number, recordSize: 24 | 28 | 32): Buffer {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  if (recordSize !== 28) return Buffer.from(hex(left, recordSize / 4) + hex(right, recordSize / 4), 'hex');
  // The highest four bits of both share the byte in the middle.
  const [l, r] = [hex(left, 7), hex(right, 7)];
  return Buffer.from(`${l.slice(1)}${l.slice(0, 1)}${r.slice(0, 1)}${r.slice(1)}`, 'hex');
}

const TYPES = { string: 2, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11, boolean: 14 };

function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string') return field(TYPES.string, Buffer.from(value));
  if (typeof value === 'boolean') return control(TYPES.boolean, Number(value));
  if (typeof value === 'number') return uint(TYPES.uint32, value);
  if (isList(value)) return Buffer.concat([control(TYPES.array, value.length), ...value.map(encode)]);
  return map(Object.entries(value).map(([name, of]) => [name, encode(of)]));
}

const isList = (value: object): value is readonly MmdbValue[] => Array.isArray(value);

const map = (entries: readonly (readonly [name: string, value: Buffer])[]) =>
  Buffer.concat([control(TYPES.map, entries.length), ...entries.flatMap(([name, value]) => [encode(name), value])]);

/** Big-endian, without leading zeros: nothing at all for 0. */
function uint(type: number, value: number): Buffer {
  const hex = value === 0 ? '' : value.toString(16);
  return field(type, Buffer.from(hex.length % 2 === 1 ? `0${hex}` : hex, 'hex'));
}

const field = (type: number, bytes: Buffer) => Buffer.concat([control(type, bytes.length), bytes]);

/** Type in the upper three bits, or zero there and the type less seven in the next byte; size in the lower five. */
function control(type: number, size: number): Buffer {
  const upper = type <= 7 ? type << 5 : 0;
  const extended = type <= 7 ? [] : [type - 7];
  if (size < 29) return Buffer.from([upper | size, ...extended]);
  if (size < 285) return Buffer.from([upper | 29, ...extended, size - 29]);
  const rest = size - 285;
  return Buffer.from([upper | 30, ...extended, rest >> 8, rest & 0xff]);
}
