import { amqpUrl, bytes, directory, integer, milliseconds, port, redisUrl, text, variable } from '@weir/service';
import { z } from 'zod';
import { modes } from './rules/rules';
import { isOrigin, readRulesFile } from './rules/rules-file';
import { openCountries, openNetworks } from './source/location';
import { doNotTrackModes } from './source/tracking';

const origin = () => z.string().refine(isOrigin, 'must be an address such as http://127.0.0.1:5000, without a path');

/** A path of a rules file, read and validated with the rest of the configuration: `--check` checks it too. */
const rulesFile = () =>
  z.string().transform((path, context) => {
    const read = readRulesFile(path);
    if (read.ok) return path;
    for (const message of read.problems) context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

/** A file that is opened with the rest of the configuration, so that a wrong one is a mistake in it. */
const opened = <T>(open: (path: string) => T) =>
  z.string().transform((path, context) => {
    try {
      return open(path);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });
const rate = () =>
  z
    .string()
    .regex(/^\d{1,7}(?:\.\d{1,3})?$/, 'must be a number of requests a second such as 50 or 0.5; 0 sets no limit')
    .transform(Number);

export const variables = {
  GATEWAY_PORT: variable(port().default(8080), { description: 'Port for registry clients.' }),
  UPSTREAM: variable(origin().optional(), {
    description: 'The registry that everything is pulled from; for more than one, use RULES_FILE instead.',
    example: 'http://127.0.0.1:5000',
  }),
  UPSTREAM_PUBLIC_URL: variable(origin().optional(), {
    description: 'Where clients reach the registry of UPSTREAM, when that is not where the gateway reaches it.',
    example: 'https://registry.example.com',
  }),
  RULES_FILE: variable(rulesFile().optional(), {
    description: 'JSON file with upstreams and rules by host and image; see docs/request-handling.md.',
    example: '/etc/weir/rules.json',
  }),
  INTROSPECTION_CLIENT_SECRET: variable(text().optional(), {
    description: 'Secret of the clientId that identity.introspection of RULES_FILE names; see docs/identity.md.',
    secret: true,
  }),
  GATEWAY_MODE: variable(z.enum(modes, `must be one of ${modes.join(', ')}`).default('auto'), {
    description: 'How manifests are answered where no rule says it: auto, redirect or proxy.',
  }),
  GATEWAY_NAME: variable(
    z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'may have letters, digits, . _ and -, at most 64')
      .optional(),
    { description: 'Name of this gateway in the source of its events: weir/gateway/<name>.', example: 'eu-1' },
  ),
  UPSTREAM_CONNECT_TIMEOUT_MS: variable(milliseconds(10, 120_000).default(5_000), {
    description: 'How long connecting to an upstream may take, in milliseconds.',
  }),
  UPSTREAM_ANSWER_TIMEOUT_MS: variable(milliseconds(10, 600_000).default(30_000), {
    description: 'How long an upstream may take to begin its answer, in milliseconds.',
  }),
  UPSTREAM_IDLE_TIMEOUT_MS: variable(milliseconds(10, 600_000).default(60_000), {
    description: 'How long an upstream may pause within an answer, in milliseconds.',
  }),
  UPSTREAM_CONNECTIONS: variable(integer(1, 10_000, 'connections').default(128), {
    description: 'Connections to each upstream at most.',
  }),
  CLIENT_CONNECTIONS: variable(integer(1, 1_000_000, 'connections').default(10_000), {
    description: 'Connections from clients at most.',
  }),
  TRUSTED_PROXIES: variable(integer(0, 16, 'proxies').default(0), {
    description:
      'How many proxies stand between clients and the gateway; the client is that entry of X-Forwarded-For from the right. With 0 the header is ignored.',
  }),
  SOURCES: variable(z.enum(['on', 'off'], 'must be on or off').default('on'), {
    description: 'Whether events tell of their source: pseudonyms, country, network, pattern; see docs/privacy.md.',
  }),
  GATEWAY_DO_NOT_TRACK: variable(
    z.enum(doNotTrackModes, `must be one of ${doNotTrackModes.join(', ')}`).default('anonymize'),
    {
      description:
        'What becomes of requests with DNT: 1 or Sec-GPC: 1. anonymize: counted without their source; omit: not counted; ignore: as all others.',
    },
  ),
  GEOIP_COUNTRY_FILE: variable(opened(openCountries).optional(), {
    description: 'Countries of addresses, an mmdb file (GeoLite2, DB-IP, IPinfo). Read at start.',
    example: '/etc/weir/GeoLite2-Country.mmdb',
  }),
  GEOIP_NETWORK_FILE: variable(opened(openNetworks).optional(), {
    description: 'Networks of addresses, an mmdb file (GeoLite2, DB-IP, IPinfo). Read at start.',
    example: '/etc/weir/GeoLite2-ASN.mmdb',
  }),
  RATE_LIMIT_PER_SECOND: variable(rate().default(0), {
    description: 'Requests a second of one source (IPv4 address or IPv6 /64) on average; 0 sets no limit.',
  }),
  RATE_LIMIT_BURST: variable(integer(1, 1_000_000, 'requests').default(500), {
    description: 'Requests that one source may send at once, where RATE_LIMIT_PER_SECOND sets a limit.',
  }),
  AMQP_URL: variable(amqpUrl().default('amqp://127.0.0.1:5672'), {
    description:
      'RabbitMQ, user and password included; of a cluster several URLs with commas between them, tried in random order.',
    secret: true,
  }),
  REDIS_URL: variable(redisUrl().optional(), {
    description:
      'Redis that gateways share: what digests stand for, and the secrets of pseudonyms; without it each keeps its own.',
    example: 'redis://127.0.0.1:6379',
    secret: true,
  }),
  SPOOL_DIR: variable(directory().default('.weir/spool/gateway'), {
    description: 'Directory for events while the broker is away; of this process alone.',
  }),
  SPOOL_BYTES: variable(bytes(1024 * 1024).default(1024 ** 3), { description: 'Quota of the spool, in bytes.' }),
};
