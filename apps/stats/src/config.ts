import { organizationOf } from '@weir/events';
import { integer, list, port, redisUrl, text, variable } from '@weir/service';
import type { Key, Reader, User } from './accounts';

const account = /^([^:\s]+):([0-9a-fA-F]{64})(?::(.+))?$/;
const MAX_ORGANIZATION = 253;

/** One `name:hash` or `name:hash:organization`. */
interface Entry extends Reader {
  sha256: Buffer;
}

/** `name:sha256hex,name:sha256hex`; the peer's way to configure accounts, too (reference usage-metrics 1.6). */
const entries = (secret: string) =>
  list()
    .refine(
      (items) => items.every((item) => account.test(item)),
      `must be name:hash pairs separated by commas, the hash being the SHA-256 of the ${secret} in 64 hex digits: ` +
        `printf %s 'the ${secret}' | sha256sum; name:hash:organization for one that may see this organization only`,
    )
    .refine(
      (items) => items.every((item) => (account.exec(item)?.[3]?.length ?? 0) <= MAX_ORGANIZATION),
      `must name organizations of at most ${MAX_ORGANIZATION} characters`,
    )
    .refine((items) => isUnique(items.map((item) => item.split(':')[0])), 'must not name an account twice')
    .transform((items) => items.map(entryOf));

function entryOf(item: string): Entry {
  const [, name = '', hash = '', given] = account.exec(item) ?? [];
  const organization = given === undefined ? undefined : (organizationOf({ data: { user: { organization: given } } }) ?? given); // prettier-ignore
  return { name, sha256: Buffer.from(hash, 'hex'), ...(organization === undefined ? {} : { organization }) };
}

const isUnique = (items: readonly unknown[]) => new Set(items).size === items.length;

const users = entries('password')
  .refine((items) => items.length > 0, 'must name at least one account')
  .transform((items): User[] => items.map(({ sha256, ...reader }) => ({ ...reader, passwordSha256: sha256 })));

const keys = entries('key')
  .refine((items) => isUnique(items.map(({ sha256 }) => sha256.toString('hex'))), 'must not give one key two names')
  .transform((items): Key[] => items.map(({ sha256, ...reader }) => ({ ...reader, keySha256: sha256 })));

/** Origins as browsers send them: compared letter by letter. */
const origins = list().refine(
  (items) => items.every((item) => URL.canParse(item) && /^https?:/.test(item) && new URL(item).origin === item),
  'must be origins separated by commas, each scheme://host or scheme://host:port and nothing behind it, such as https://example.org', // prettier-ignore
);

/** Everything that stats reads from the environment, beside what every app has. */
export const variables = {
  STATS_PORT: variable(port().default(8083), { description: 'Port of the read API; 0 takes a free one and logs it.' }),
  STATS_USERS: variable(users, {
    description:
      'Who may read: name:hash pairs separated by commas, the hash being the SHA-256 of the password in hex; ' +
      'name:hash:organization for one that may see the numbers of this organization only.',
    example: 'grafana:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    secret: true,
  }),
  STATS_KEYS: variable(keys.default([]), {
    description:
      'Bearer keys that may read, as STATS_USERS: name:hash or name:hash:organization, the hash being the SHA-256 of the ' +
      'key in hex. Take random keys of at least 20 characters: from a hash nobody can see how long the key is.',
    example: 'dashboard:0b14d501a594442a01c6859541bcb3e8164d183d32937b851835442f69d5c94e:acme.example',
    secret: true,
  }),
  STATS_CORS_ORIGINS: variable(origins.default([]), {
    description: 'Web pages that may ask, by their origins, separated by commas; none by default.',
    example: 'https://dashboard.example',
  }),
  REDIS_URL: variable(redisUrl().default('redis://127.0.0.1:6379'), {
    description: 'The Redis that the redis-worker counts in, user and password included.',
    example: 'redis://:secret@redis:6379',
    secret: true,
  }),
  REDIS_PREFIX: variable(text(64).default(''), {
    description: 'Stands in front of every key: the same as that of the redis-worker.',
    example: 'prod:',
  }),
  UNIQUES_DAYS: variable(integer(1, 3650, 'days').default(400), {
    description: 'How many days distinct sources are kept: the same as that of the redis-worker.',
  }),
};
