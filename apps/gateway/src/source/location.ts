import { readFileSync, statSync } from 'node:fs';
import { Reader, type Response } from 'mmdb-lib';
import { createLru } from '../lru';
import { cloudOf } from './clouds';

/** `network` of an event's data. */
export interface Network {
  name?: string;
  /** Number of the autonomous system. */
  asn?: number;
  cloud?: string;
}

/** Where an address belongs, by files in the MaxMind DB format 2.0 that whoever runs the gateway supplies. */
export interface Location {
  /** What the files know; nothing of private addresses. The address is one of {@link AddressOf}. */
  of(address: string): { country?: string; network?: Network };
}

/** Finds something about an address in a file. */
export type Find<T> = (address: string) => T | undefined;

const MAX_FILE_BYTES = 1024 ** 3;
/** Decoded records that are kept: all countries, the networks that most requests come from. */
const MAX_RECORDS = 10_000;
/** How many networks of a file are looked at for one that says what the file is wanted for. */
const MAX_SAMPLES = 10_000;
const MAX_NAME = 255;

/**
 * Private, shared, loopback and link-local addresses (RFC 1918, 6598, 1122, 3927, 4193, 4291), in the form of
 * {@link AddressOf}: they belong to no country.
 */
const PRIVATE =
  /^(?:0|10|127|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.|^(?:f[cd]..|fe[89ab].|0:0:0:0:):/;

export function createLocation(country: Find<string> | undefined, network: Find<Network> | undefined): Location {
  return {
    of(address) {
      if ((!country && !network) || address === 'unknown' || PRIVATE.test(address)) return {};
      const plain = address.replace('/64', '');
      const ofCountry = country?.(plain);
      const ofNetwork = network?.(plain);
      return {
        ...(ofCountry === undefined ? {} : { country: ofCountry }),
        ...(ofNetwork === undefined ? {} : { network: ofNetwork }),
      };
    },
  };
}

/** Countries of a file such as GeoLite2-Country, DB-IP to Country Lite or IPinfo Lite. @throws Error saying what is wrong. */
export const openCountries = (path: string): Find<string> => open(path, 'country', countryIn);

/** Networks of a file such as GeoLite2-ASN, DB-IP to ASN Lite or IPinfo Lite. @throws Error saying what is wrong. */
export const openNetworks = (path: string): Find<Network> => open(path, 'network', networkIn);

function open<T>(path: string, wanted: string, read: (record: Fields) => T | undefined): Find<T> {
  const { reader, find, any } = inWords(`${path} cannot be read as an mmdb file`, () => {
    const reader = openReader(path);
    const find = (address: string) => {
      const record = reader.get(address);
      return typeof record === 'object' && record !== null ? read(record as Fields) : undefined;
    };
    return { reader, find, any: knowsAny(reader, find) };
  });
  if (!any) throw new Error(`${path} names no ${wanted} in any field that is known`);
  const ipv4Only = reader.metadata.ipVersion === 4;
  return (address) => {
    if (ipv4Only && address.includes(':')) return undefined;
    try {
      return find(address);
    } catch {
      return undefined; // a damaged record: an event without it is worth more than none
    }
  };
}

function inWords<T>(words: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${words}: ${(error as Error).message}`, { cause: error });
  }
}

function openReader(path: string): Reader<Response> {
  if (statSync(path).size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
  const records = createLru<unknown>(MAX_RECORDS);
  const cache = {
    get: (key: string | number) => records.get(String(key)),
    set: (key: string | number, value: unknown) => records.set(String(key), value),
  };
  return new Reader(readFileSync(path), { cache });
}

/** Goes through the networks of a file until one has what is wanted. */
function knowsAny(reader: Reader<Response>, find: Find<unknown>): boolean {
  const bits = reader.metadata.ipVersion === 6 ? 128 : 32;
  const end = 1n << BigInt(bits);
  let address = 0n;
  for (let sample = 0; sample < MAX_SAMPLES && address < end; sample += 1) {
    const text = bits === 128 ? ipv6(address) : ipv4(address);
    if (find(text) !== undefined) return true;
    const [, prefix] = reader.getWithPrefixLength(text);
    address += 1n << BigInt(bits - prefix);
  }
  return false;
}

const ipv4 = (address: bigint) => [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 0xffn).join('.');
const ipv6 = (address: bigint) =>
  Array.from({ length: 8 }, (_, n) => ((address >> BigInt(112 - 16 * n)) & 0xffffn).toString(16)).join(':');

type Fields = Readonly<Record<string, unknown>>;

/** `country.iso_code` (GeoLite2, DB-IP), `country_code` (IPinfo Lite and others), `country` (IPinfo's older files). */
function countryIn({ country, country_code: code }: Fields): string | undefined {
  const nested = (country as Fields | undefined)?.['iso_code'];
  return [nested, code, country].find(
    (value): value is string => typeof value === 'string' && /^[A-Z]{2}$/.test(value),
  );
}

/**
 * `autonomous_system_number` and `autonomous_system_organization` (GeoLite2, DB-IP), `asn` (`AS15169` or 15169) and
 * `as_name` (IPinfo Lite) or `name` (IPinfo's older files).
 */
function networkIn(record: Fields): Network | undefined {
  const asn = numberIn(record['autonomous_system_number'] ?? record['asn']);
  const name = record['autonomous_system_organization'] ?? record['as_name'] ?? record['name'];
  const cloud = asn === undefined ? undefined : cloudOf(asn);
  const network = {
    ...(typeof name === 'string' && name !== '' ? { name: name.slice(0, MAX_NAME) } : {}),
    ...(asn === undefined ? {} : { asn }),
    ...(cloud === undefined ? {} : { cloud }),
  };
  return Object.keys(network).length > 0 ? network : undefined;
}

function numberIn(value: unknown): number | undefined {
  const digits = /^(?:AS)?(\d{1,10})$/.exec(String(value))?.[1];
  return digits === undefined ? undefined : Number(digits);
}
