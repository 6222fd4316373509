import { clientTable, type Capability, type ClientEntry, type Releases } from './client-table';

/** A container client, from its `User-Agent`. The header is the client's own claim: data, not identity. */
export interface Client {
  /** `docker`, `containerd`, `skopeo` …, or the first product of a string that is on no list; at most 64 characters. */
  name: string;
  /** Version as claimed, without a leading `v`; at most 64 characters. */
  version?: string;
}

/** Longest part of a `User-Agent` that is looked at. */
const MAX_USER_AGENT = 512;

const byProduct = new Map(
  clientTable.entries.flatMap((entry) => entry.products.map((product): [string, ClientEntry] => [product, entry])),
);
const byName = new Map(clientTable.entries.map((entry) => [entry.name, entry]));

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
/** A program that gives its path for its name (stereoscope in syft and grype): only the last part says who it is. */
const DIRECTORY = /^[./][^\s,;()]*\//;
/** The first product: `product[/version]`, ended by white space, a comma, a bracket or the end; `crane/(devel)`, too. */
const PRODUCT = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:\/([A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}))?(?=[\s,;()]|\/\(|$)/;
/** The version behind a product that has a name in its place: `regclient/regctl (v0.8.0)`. */
const IN_BRACKETS = /^ \((v?\d[A-Za-z0-9.+~_-]{0,62})\)/;

/**
 * Who asks, from the `User-Agent`. Linear in at most 512 bytes, control characters are dropped; undefined when there is
 * no header or it does not start with a product. A version has a digit: `docker/dev` names none.
 */
export function parseClient(userAgent: string | undefined): Client | undefined {
  const text = (userAgent ?? '').slice(0, MAX_USER_AGENT).replace(CONTROL, '').trim().replace(DIRECTORY, '');
  const match = PRODUCT.exec(text);
  if (match === null) return undefined;
  const [whole, product = '', second = ''] = match;
  const claimed = /\d/.test(second) ? second : IN_BRACKETS.exec(text.slice(whole.length))?.[1];
  const version = claimed?.replace(/^v(?=\d)/, '');
  const name = product.toLowerCase();
  return { name: byProduct.get(name)?.name ?? name, ...(version === undefined ? {} : { version }) };
}

/** What this client can do, by its parsed version, never by a substring; undefined for one that is on no list. */
export function capabilityOf(client: Client | undefined): Capability | undefined {
  const entry = client && byName.get(client.name);
  const version = numbers(client?.version);
  return entry?.releases.find((releases) => fits(version, releases))?.can;
}

/** A client and what it can do. */
export interface Recognized {
  client: Client | undefined;
  can: Capability | undefined;
}

const MAX_RECOGNIZED = 2_000;
const recognized = new Map<string, Recognized>();

/** {@link parseClient} and {@link capabilityOf}, remembered: the same few clients ask again and again. */
export function recognize(userAgent: string | undefined): Recognized {
  const text = userAgent ?? '';
  const known = recognized.get(text);
  if (known !== undefined) return known;
  const client = parseClient(text);
  const found = { client, can: capabilityOf(client) };
  if (text.length > MAX_USER_AGENT) return found;
  if (recognized.size >= MAX_RECOGNIZED) recognized.clear();
  recognized.set(text, found);
  return found;
}

function fits(version: Numbers | undefined, { from, before }: Releases): boolean {
  if (from === undefined && before === undefined) return true;
  if (version === undefined) return false;
  const [first, end] = [numbers(from), numbers(before)];
  return (first === undefined || compare(version, first) >= 0) && (end === undefined || compare(version, end) < 0);
}

type Numbers = [major: number, minor: number, patch: number];

/** `1.6.24`, `2.3.4-k3s1.36`, `1.4.3+azure`, `0.28`: the first three numbers, missing ones are 0. */
function numbers(version: string | undefined): Numbers | undefined {
  const match = /^(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?/.exec(version ?? '');
  return match ? [Number(match[1]), Number(match[2] ?? 0), Number(match[3] ?? 0)] : undefined;
}

function compare(a: Numbers, b: Numbers): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
