import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { readConfig } from '@weir/service';
import { temporaryDirectory } from '@weir/testing';
import { variables } from '../config';
import { createLocation, openCountries, openNetworks } from './location';
import { mmdb, writeMmdb, type MmdbFile } from './mmdb.test-support';

let directory: { path: string; remove(): Promise<void> };
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory.remove());

let files = 0;
async function file(content: MmdbFile | Buffer): Promise<string> {
  const path = join(directory.path, `${(files += 1)}.mmdb`);
  if (Buffer.isBuffer(content)) await writeFile(path, content);
  else await writeMmdb(path, content);
  return path;
}
const geoLite = (code: string) => ({
  continent: { code: 'EU', geoname_id: 6255148, names: { en: 'Europe' } },
  country: {
    geoname_id: 2921044,
    is_in_european_union: true,
    iso_code: code,
    names: { en: 'Somewhere', de: 'Irgendwo' },
  },
  registered_country: { iso_code: 'US' },
});

describe('the country, by the fields of', () => {
  test.each([
    ['GeoLite2 and DB-IP', geoLite('DE')],
    ['IPinfo Lite', { country: 'Germany', country_code: 'DE', continent_code: 'EU', asn: 'AS64500' }],
    ['older files of IPinfo', { country: 'DE', country_name: 'Germany', continent: 'EU' }],
    ['ip-location-db', { country_code: 'DE' }],
  ])('%s', async (_, record) => {
    const country = openCountries(await file({ networks: { '192.0.2.0/24': record, '2001:db8::/32': record } }));
    const { of } = createLocation(country, undefined);
    expect(of('192.0.2.7')).toEqual({ country: 'DE' });
    expect(of('2001:db8:1:2::/64')).toEqual({ country: 'DE' });
    expect(of('198.51.100.1')).toEqual({});
    expect(of('2001:db9:0:0::/64')).toEqual({});
    expect(of('unknown')).toEqual({});
  });
});

describe('the network, by the fields of', () => {
  test.each([
    ['GeoLite2 and DB-IP', { autonomous_system_number: 64500, autonomous_system_organization: 'Example GmbH' }],
    ['IPinfo Lite', { asn: 'AS64500', as_name: 'Example GmbH', as_domain: 'example.com', country_code: 'DE' }],
    ['older files of IPinfo', { asn: 'AS64500', name: 'Example GmbH', domain: 'example.com' }],
  ])('%s', async (_, record) => {
    const { of } = createLocation(undefined, openNetworks(await file({ networks: { '192.0.2.0/24': record } })));
    expect(of('192.0.2.7')).toEqual({ network: { name: 'Example GmbH', asn: 64500 } });
    expect(of('198.51.100.1')).toEqual({});
  });

  test.each([
    [16509, 'aws'],
    [14618, 'aws'],
    [8075, 'azure'],
    [396982, 'gcp'],
    [31898, 'oracle'],
    [45102, 'alibaba'],
    [132203, 'tencent'],
    [14061, 'digitalocean'],
    [24940, 'hetzner'],
    [16276, 'ovh'],
    [63949, 'akamai'],
    [20473, 'vultr'],
    [12876, 'scaleway'],
    [36351, 'ibm'],
  ])('%d, a cloud: %s', async (asn, cloud) => {
    const record = { autonomous_system_number: asn, autonomous_system_organization: 'Example' };
    const { of } = createLocation(undefined, openNetworks(await file({ networks: { '192.0.2.0/24': record } })));
    expect(of('192.0.2.7').network).toEqual({ name: 'Example', asn, cloud });
  });

  test('a name without a number, and a number without a name', async () => {
    const networks = { '192.0.2.0/25': { as_name: 'x'.repeat(300), asn: '' }, '192.0.2.128/25': { asn: 'AS64500' } };
    const { of } = createLocation(undefined, openNetworks(await file({ networks })));
    expect(of('192.0.2.1')).toEqual({ network: { name: 'x'.repeat(255) } });
    expect(of('192.0.2.129')).toEqual({ network: { asn: 64500 } });
  });
});

test.each([24, 28, 32] as const)(
  'records of %d bits, nested networks and both versions of addresses',
  async (recordSize) => {
    const networks = {
      '192.0.2.0/24': { country_code: 'DE' },
      '192.0.2.64/26': { country_code: 'FR' },
      '192.0.2.77/32': { country_code: 'IT' },
      '2001:db8::/32': { country_code: 'ES' },
      '2001:db8:1:2::/64': { country_code: 'PT' },
    };
    const { of } = createLocation(openCountries(await file({ networks, recordSize })), undefined);
    const addresses = [
      '192.0.2.1',
      '192.0.2.65',
      '192.0.2.77',
      '192.0.2.128',
      '2001:db8:0:0::/64',
      '2001:db8:1:2::/64',
    ];
    expect(addresses.map((address) => of(address).country)).toEqual(['DE', 'FR', 'IT', 'DE', 'ES', 'PT']);
  },
);

test('a file of IPv4 alone knows nothing of IPv6', async () => {
  const { of } = createLocation(
    openCountries(await file({ networks: { '32.0.0.0/3': { country_code: 'DE' } }, ipVersion: 4 })),
    undefined,
  );
  expect(of('32.1.13.184')).toEqual({ country: 'DE' });
  expect(of('2001:db8:0:0::/64')).toEqual({});
});

test('private addresses are nowhere, whatever the files say', async () => {
  const everywhere = {
    networks: { '0.0.0.0/1': geoLite('DE'), '128.0.0.0/1': geoLite('DE'), '8000::/1': geoLite('DE') },
  };
  const { of } = createLocation(openCountries(await file(everywhere)), undefined);
  const inside = ['10.1.2.3', '127.0.0.1', '192.168.0.1', '169.254.1.1', '172.16.0.1', '172.31.255.1', '100.64.0.1'];
  const inside6 = ['0:0:0:0::/64', 'fd12:3456:789a:1::/64', 'fc00:0:0:0::/64', 'fe80:0:0:0::/64'];
  expect([...inside, ...inside6, '100.127.0.1', '0.0.0.0'].map(of)).toEqual(Array(13).fill({}));
  const outside = ['172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '192.167.0.1', '11.0.0.1', '102.0.0.1'];
  expect([...outside, 'ff02:0:0:0::/64'].map((address) => of(address).country)).toEqual(Array(8).fill('DE'));
});

test('without files nothing is known', () => {
  expect(createLocation(undefined, undefined).of('192.0.2.7')).toEqual({});
});

describe('a wrong file is a mistake in the configuration', () => {
  const country = { networks: { '192.0.2.0/24': geoLite('DE') } };
  test.each([
    ['one that is not there', async () => join(directory.path, 'none.mmdb'), /none\.mmdb cannot be read .*ENOENT/],
    ['a directory', async () => directory.path, /cannot be read as an mmdb file: .*EISDIR/],
    ['an empty file', () => file(Buffer.alloc(0)), /cannot be read as an mmdb file/],
    ['text', () => file(Buffer.from('ip,country\n192.0.2.0/24,DE\n')), /cannot be read as an mmdb file/],
    ['a packed one', () => file(gzipSync(mmdb(country))), /cannot be read as an mmdb file/],
    ['one without its beginning', () => file(mmdb(country).subarray(200)), /cannot be read|names no country/],
    [
      'one of networks',
      () => file({ networks: { '192.0.2.0/24': { asn: 'AS64500' } } }),
      /names no country in any field/,
    ],
    ['one with nothing in it', () => file({ networks: {} }), /names no country in any field/],
  ])('%s', async (_, make, expected) => {
    const path = await make();
    const read = () => readConfig(variables, { UPSTREAM: 'http://127.0.0.1:5000', GEOIP_COUNTRY_FILE: path });
    expect(read).toThrow(/GEOIP_COUNTRY_FILE: /);
    expect(read).toThrow(expected);
  });

  test('countries for networks', async () => {
    const path = await file(country);
    expect(() => readConfig(variables, { GEOIP_NETWORK_FILE: path })).toThrow(
      /GEOIP_NETWORK_FILE: .*names no network in any field/,
    );
  });
});

test('a record that is damaged leaves the event without it', async () => {
  const bytes = mmdb({
    networks: { '192.0.2.0/25': { country_code: 'DE' }, '192.0.2.128/25': { country_code: 'FR' } },
  });
  bytes[bytes.lastIndexOf('FR') - 'country_code'.length - 3] = 0xff; // its control byte: a map of 65,821 fields and more
  const { of } = createLocation(openCountries(await file(bytes)), undefined);
  expect(of('192.0.2.1')).toEqual({ country: 'DE' });
  expect(of('192.0.2.129')).toEqual({});
});
