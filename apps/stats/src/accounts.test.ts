import { createHash } from 'node:crypto';
import { readConfig } from '@weir/service';
import { readerOf, type Account } from './accounts';
import { variables } from './config';

const hash = (password: string) => createHash('sha256').update(password).digest('hex');
const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;
const configure = (users: string) =>
  readConfig({ STATS_USERS: variables.STATS_USERS }, { STATS_USERS: users }).STATS_USERS;

const configureKeys = (keys: string) =>
  readConfig({ STATS_KEYS: variables.STATS_KEYS }, { STATS_KEYS: keys }).STATS_KEYS;

const key = 'k3y-of-more-than-20-characters';
const accounts: Account[] = [
  ...configure(`ada:${hash('enchantress: of numbers')}, grace:${hash('bugs').toUpperCase()}:Acme.ORG,eve:${hash('')}`),
  ...configureKeys(`all:${hash(key)},one:${hash(`${key}=`)}:acme:b`),
];
const mayRead = (header: string | undefined) => readerOf(header, accounts) !== undefined;

test.each(['ada:enchantress: of numbers', 'grace:bugs', 'eve:'])('%s may read', (credentials) => {
  expect(mayRead(basic(credentials))).toBe(true);
  expect(mayRead(basic(credentials).replace('Basic', 'bAsIc'))).toBe(true);
});

test.each(['ada:bugs', 'grace:bugs ', 'Grace:bugs', 'grace', ':bugs', ':', '', 'grace:', `grace:${hash('bugs')}`])(
  '%j may not',
  (credentials) => expect(mayRead(basic(credentials))).toBe(false),
);

test.each([undefined, '', 'Basic', 'Basic ', 'Basic !!!', 'Bearer Z3JhY2U6YnVncw==', 'Z3JhY2U6YnVncw=='])(
  'the header %j names nobody',
  (header) => expect(mayRead(header)).toBe(false),
);

test('a reader is a name, and an organization in its canonical spelling where there is one', () => {
  expect(readerOf(basic('ada:enchantress: of numbers'), accounts)).toEqual({ name: 'ada' });
  expect(readerOf(basic('grace:bugs'), accounts)).toEqual({ name: 'grace', organization: 'acme.org' });
  expect(readerOf(`Bearer ${key}`, accounts)).toEqual({ name: 'all' });
  expect(readerOf(`bearer  ${key}=`, accounts)).toEqual({ name: 'one', organization: 'acme:b' });
});

test.each([`Bearer ${key}x`, `Bearer ${hash(key)}`, `Bearer all:${key}`, `Basic ${key}`, basic(`all:${key}`), 'Bearer ', `Bearer ${key} ${key}`])(
  'the header %j is no key',
  (header) => expect(mayRead(header)).toBe(false),
); // prettier-ignore

test('a password is no key, whoever has it', () => expect(mayRead('Bearer bugs')).toBe(false));

test.each([
  ['all', /STATS_KEYS: must be name:hash pairs.*sha256sum.*name:hash:organization/],
  [`all:${hash('a')}:`, /must be name:hash pairs/],
  [`all:${hash('a')},b:${hash('a')}`, /must not give one key two names/],
  [`all:${hash('a')},all:${hash('b')}`, /must not name an account twice/],
  [`all:${hash('a')}:${'x'.repeat(254)}`, /organizations of at most 253 characters/],
])('STATS_KEYS=%j is a mistake that is explained', (keys, message) => {
  expect(() => configureKeys(keys)).toThrow(message);
});

test.each(['*', 'https://a.example/', 'a.example', 'https://A.example', 'https://a.example:443', 'ftp://a.example', 'https://u@a.example'])(
  'STATS_CORS_ORIGINS=%j is a mistake that is explained',
  (origins) => {
    const read = (value: string) => readConfig({ STATS_CORS_ORIGINS: variables.STATS_CORS_ORIGINS }, { STATS_CORS_ORIGINS: value });
    expect(() => read(origins)).toThrow(/STATS_CORS_ORIGINS: must be origins.*such as https:\/\/example\.org/);
    expect(read('https://a.example, http://127.0.0.1:8080').STATS_CORS_ORIGINS).toEqual(['https://a.example', 'http://127.0.0.1:8080']);
  },
); // prettier-ignore

test.each([
  ['', /STATS_USERS: is missing; Who may read/],
  ['ada', /must be name:hash pairs.*sha256sum/],
  ['ada:secret', /must be name:hash pairs/],
  [`ada:${hash('a')},bob`, /must be name:hash pairs/],
  [',', /must name at least one account/],
  [`ada:${hash('a')},ada:${hash('b')}`, /must not name an account twice/],
])('STATS_USERS=%j is a mistake that is explained, without repeating it', (users, message) => {
  expect(() => configure(users)).toThrow(message);
  expect(() => configure(users)).not.toThrow(/secret/);
});
