import { createHash } from 'node:crypto';
import { readConfig } from '@weir/service';
import { mayRead } from './accounts';
import { variables } from './config';

const hash = (password: string) => createHash('sha256').update(password).digest('hex');
const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;
const configure = (users: string) =>
  readConfig({ STATS_USERS: variables.STATS_USERS }, { STATS_USERS: users }).STATS_USERS;

const accounts = configure(
  `ada:${hash('enchantress: of numbers')}, grace:${hash('bugs').toUpperCase()},eve:${hash('')}`,
);

test.each(['ada:enchantress: of numbers', 'grace:bugs', 'eve:'])('%s may read', (credentials) => {
  expect(mayRead(basic(credentials), accounts)).toBe(true);
  expect(mayRead(basic(credentials).replace('Basic', 'bAsIc'), accounts)).toBe(true);
});

test.each(['ada:bugs', 'grace:bugs ', 'Grace:bugs', 'grace', ':bugs', ':', '', 'grace:', `grace:${hash('bugs')}`])(
  '%j may not',
  (credentials) => expect(mayRead(basic(credentials), accounts)).toBe(false),
);

test.each([undefined, '', 'Basic', 'Basic ', 'Basic !!!', 'Bearer Z3JhY2U6YnVncw==', 'Z3JhY2U6YnVncw=='])(
  'the header %j names nobody',
  (header) => expect(mayRead(header, accounts)).toBe(false),
);

test.each([
  ['', /STATS_USERS: is missing; Who may read/],
  ['ada', /must be name:hash pairs.*sha256sum/],
  ['ada:secret', /must be name:hash pairs/],
  [`ada:${hash('a')},bob`, /must be name:hash pairs/],
  [',', /must be name:hash pairs/],
  [`ada:${hash('a')},ada:${hash('b')}`, /must not name an account twice/],
])('STATS_USERS=%j is a mistake that is explained, without repeating it', (users, message) => {
  expect(() => configure(users)).toThrow(message);
  expect(() => configure(users)).not.toThrow(/secret/);
});
