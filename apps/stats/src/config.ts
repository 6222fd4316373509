import { integer, list, port, redisUrl, text, variable } from '@weir/service';
import type { Account } from './accounts';

const account = /^([^:\s]+):([0-9a-fA-F]{64})$/;

/** `name:sha256hex,name:sha256hex`; the peer's way to configure accounts, too (reference usage-metrics 1.6). */
const accounts = list()
  .refine(
    (items) => items.length > 0 && items.every((item) => account.test(item)),
    'must be name:hash pairs separated by commas, the hash being the SHA-256 of the password in 64 hex digits: ' +
      "printf %s 'the password' | sha256sum",
  )
  .refine(
    (items) => new Set(items.map((item) => item.split(':')[0])).size === items.length,
    'must not name an account twice',
  )
  .transform((items): Account[] =>
    items.map((item) => {
      const [name = '', hash = ''] = item.split(':');
      return { name, passwordSha256: Buffer.from(hash, 'hex') };
    }),
  );

/** Everything that stats reads from the environment, beside what every app has. */
export const variables = {
  STATS_PORT: variable(port().default(8083), { description: 'Port of the read API; 0 takes a free one and logs it.' }),
  STATS_USERS: variable(accounts, {
    description:
      'Who may read: name:hash pairs separated by commas, the hash being the SHA-256 of the password in hex.',
    example: 'grafana:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    secret: true,
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
