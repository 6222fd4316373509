import { join } from 'node:path';
import type { Endpoints } from './endpoints';
import type { Folder } from './folder';
import type { Secrets } from './secrets';
import { hashed } from './secrets';
import type { Settings } from './settings';
import type { Stage } from './run-file';

/** What an app's environment is made from. */
export interface Wiring {
  settings: Settings;
  secrets: Secrets;
  folder: Folder;
  /** Every address, those of the servers with credentials. */
  endpoints: Endpoints;
  /** What the gateway is to stand in front of: `UPSTREAM` or `RULES_FILE`; nothing when the user's own rules say it. */
  pullFrom: { UPSTREAM: string } | { RULES_FILE: string } | Record<string, never>;
  /** Further keys of the build-service, by organization. */
  buildKeys: Readonly<Record<string, string>>;
}

/** One app of Weir: where it stands in the order, and what it has to be told. */
export interface AppPart {
  name: string;
  stage: Stage;
  /** The compiled main. */
  file: string;
  /** The variable of the port that it serves on, where it serves. */
  portVariable?: 'GATEWAY_PORT' | 'INGEST_PORT' | 'BUILD_SERVICE_PORT' | 'STATS_PORT';
  /** One line for the table. */
  about: string;
  /** What it needs, and nothing else: an app that does not know a credential cannot leak it. */
  environment(wiring: Wiring): Record<string, string>;
  /** Checks of its readiness that need not be green: what it does without them is refused with a word of why. */
  mayLack?: readonly string[];
  /** Variables of the user that go through to it as they are. */
  passes: readonly RegExp[];
}

const publisher =
  (name: string) =>
  ({ endpoints, folder }: Wiring) => ({ AMQP_URL: endpoints.amqp, SPOOL_DIR: join(folder.spools, name) });

/** All apps of Weir, as compiled under `root` (the repository's apps folder). */
export function appParts(root: string): AppPart[] {
  const file = (name: string): string => join(root, name, 'dist', 'main.js');
  return [
    {
      name: 'gateway',
      stage: 'publisher',
      file: file('gateway'),
      portVariable: 'GATEWAY_PORT',
      about: 'pull images from here',
      environment: (wiring) => ({
        ...publisher('gateway')(wiring),
        ...wiring.pullFrom,
        REDIS_URL: wiring.endpoints.redis,
      }),
      passes: [
        /^(GATEWAY|UPSTREAM|RATE_LIMIT|GEOIP)_/,
        /^(RULES_FILE|CLIENT_CONNECTIONS|SPOOL_BYTES|TRUSTED_PROXIES|SOURCES)$/,
        /^INTROSPECTION_CLIENT_SECRET$/,
      ],
    },
    {
      name: 'ingest',
      stage: 'publisher',
      file: file('ingest'),
      portVariable: 'INGEST_PORT',
      about: 'post events here',
      environment: (wiring) => ({
        ...publisher('ingest')(wiring),
        INGEST_KEYS: hashed('quickstart', wiring.secrets.ingestKey),
      }),
      passes: [/^INGEST_/, /^SPOOL_BYTES$/],
    },
    {
      name: 'build-service',
      stage: 'publisher',
      file: file('build-service'),
      portVariable: 'BUILD_SERVICE_PORT',
      about: 'build and mirror images here',
      environment: (wiring) => ({
        ...publisher('build-service')(wiring),
        WORK_DIR: join(wiring.folder.data, 'build-service'),
        INSECURE_REGISTRIES: plainRegistries(wiring.endpoints),
        BUILD_KEYS: [
          hashed('quickstart', wiring.secrets.buildKey),
          ...Object.entries(wiring.buildKeys).map(([name, key]) => `${hashed(`demo-${name}`, key)}:${name}`),
        ].join(','),
      }),
      mayLack: ['buildah', 'skopeo'],
      passes: [/^BUILD_/, /^(INSECURE|TARGET|SOURCE)_REGISTRIES$/, /^REGISTRY_AUTH_FILE$/, /^SPOOL_BYTES$/],
    },
    {
      name: 'stats',
      stage: 'publisher',
      file: file('stats'),
      portVariable: 'STATS_PORT',
      about: 'look at usage here, or ask',
      environment: ({ endpoints, secrets }) => ({
        REDIS_URL: endpoints.redis,
        STATS_USERS: hashed(secrets.statsUser, secrets.statsPassword),
      }),
      passes: [/^STATS_/, /^REDIS_/, /^UNIQUES_/],
    },
    {
      name: 'redis-worker',
      stage: 'worker',
      file: file('redis-worker'),
      about: 'counts',
      environment: ({ endpoints }) => ({ AMQP_URL: endpoints.amqp, REDIS_URL: endpoints.redis }),
      passes: [/^REDIS_/, /^UNIQUES_/, /^WORKER_/],
    },
    {
      name: 'influx-worker',
      stage: 'worker',
      file: file('influx-worker'),
      about: 'writes time series',
      environment: ({ endpoints, settings }) => ({
        AMQP_URL: endpoints.amqp,
        INFLUX_URL: endpoints.influx,
        INFLUX_DATABASE: settings.INFLUX_DATABASE,
      }),
      passes: [/^INFLUX_/, /^WORKER_/],
    },
    {
      name: 'mongo-worker',
      stage: 'worker',
      file: file('mongo-worker'),
      about: 'keeps each event as it came',
      environment: ({ endpoints, settings }) => ({
        AMQP_URL: endpoints.amqp,
        MONGODB_URL: endpoints.mongodb,
        MONGODB_DATABASE: settings.MONGODB_DATABASE,
      }),
      passes: [/^MONGODB_/, /^WORKER_/],
    },
  ];
}

/** The registries on this machine speak plain HTTP: our own, where there is one, and the gateway in front of it. */
function plainRegistries({ registry, gateway }: Endpoints): string {
  return [registry, gateway].flatMap((url) => (url === undefined ? [] : new URL(url).host)).join(',');
}

/** What any program needs of its surroundings, and the variables that every app of Weir has. */
const COMMON = [
  /^(PATH|HOME|USER|LANG|LC_ALL|TZ|TMPDIR)$/,
  /^NODE_(OPTIONS|EXTRA_CA_CERTS)$/,
  /^(HTTPS?|NO)_PROXY$/i,
  /^(HOST|LOG_LEVEL)$/,
];

/** The part of the user's environment that goes through to an app. */
export function passedOn(part: Pick<AppPart, 'passes'>, environment: NodeJS.ProcessEnv): Record<string, string> {
  const through = [...COMMON, ...part.passes];
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && through.some((pattern) => pattern.test(entry[0])),
    ),
  );
}
