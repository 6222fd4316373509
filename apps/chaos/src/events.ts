import { createRandom, type Random } from './random';

/** An event as a client would write it: CloudEvents 1.0, structured JSON. This suite imports no type of Weir's. */
export interface SentEvent {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  time: string;
  datacontenttype: 'application/json';
  data: Record<string, unknown>;
}

/** What decides an event completely. */
export interface EventOrigin {
  seed: number;
  source: string;
  number: number;
  /** A midnight in UTC: the run's own day begins there. */
  midnightMs: number;
}

const HOUR_MS = 3_600_000;
const HEX = '0123456789abcdef';

/** Names as people write them: case, spaces, a name that looks like a key, one outside ASCII. */
const ORGANIZATIONS = ['seqera.io', 'Example.COM', 'a/d/2024-01-01', 'team rocket', 'ünïcode', 'x_y-z.example'];
const DOMAINS = ['mail.example', 'Mail.Example', 'sub.domain.example'];
const PLATFORMS = [
  'linux/amd64',
  'linux/amd64',
  'linux/arm64',
  'linux/arm64/v8',
  'linux/arm/v7',
  'x86_64',
  'linux/riscv64',
  'plan9/quantum',
];
const CLIENTS = ['docker', 'containerd', 'skopeo', 'podman'];
/** What must come through as it is: quotes, operators of stores, line ends, scripts beyond ASCII. */
const TEXTS = ['plain', 'with "quotes" and \\', '{"$set":{"a.b":1}}', 'two\nlines\r\n', 'naïve 日本語 🐳', '=,# '];

/** Type and its share of a hundred. Pulls first, for that is what registries see. */
const TYPES: readonly (readonly [type: string, share: number])[] = [
  ['io.weir.pull', 50],
  ['io.weir.build', 11],
  ['io.weir.mirror', 8],
  ['io.weir.scan', 7],
  ['io.weir.check', 6],
  ['io.weir.build.finished', 5],
  ['io.weir.view', 5],
  ['com.example.deployed', 5],
  ['io.weir.tomorrow', 3],
];

/** The event with this number: the same again whenever it is asked for. */
export function makeEvent(origin: EventOrigin): SentEvent {
  const { seed, source, number } = origin;
  const random = createRandom(seed, source, number);
  const type = typeOf(random);
  return {
    specversion: '1.0',
    id: `${number}-${random.between(0, 0xffffffff).toString(16)}`,
    source,
    type,
    time: new Date(timeOf(random, origin)).toISOString(),
    datacontenttype: 'application/json',
    data: dataOf(type, random),
  };
}

function typeOf(random: Random): string {
  let left = random.between(0, 99);
  for (const [type, share] of TYPES) {
    if (left < share) return type;
    left -= share;
  }
  return 'io.weir.pull';
}

/**
 * As from clients that live: a stream's events follow each other, some 4 ms apart and not in order, often several in a
 * millisecond, and every hundredth is late, as what was kept in a spool. Every third stream runs across midnight.
 */
function timeOf(random: Random, { seed, source, number, midnightMs }: EventOrigin): number {
  const stream = createRandom(seed, source);
  const begins = midnightMs - (stream.chance(1 / 3) ? 3_000 : stream.between(60_000, 36 * HOUR_MS));
  const late = random.chance(0.01) ? random.between(0, 5 * HOUR_MS) : 0;
  return begins + 4 * number + random.between(0, 50) - late;
}

function dataOf(type: string, random: Random): Record<string, unknown> {
  const many = type === 'io.weir.build' || type === 'io.weir.mirror';
  return {
    repository: `team-${random.between(0, 9)}/app-${random.between(0, 30)}`,
    tag: `1.${random.between(0, 20)}`,
    digest: `sha256:${Array.from({ length: 64 }, () => HEX[random.between(0, 15)]).join('')}`,
    ...(many
      ? { platforms: Array.from({ length: random.between(1, 3) }, () => random.pick(PLATFORMS)) }
      : random.chance(0.9)
        ? { platform: random.pick(PLATFORMS) }
        : {}),
    ...userOf(random),
    ...(type === 'io.weir.pull' ? { fusion: random.chance(0.3) } : {}),
    ...(type.endsWith('.finished') ? { outcome: random.pick(['succeeded', 'failed']), durationMs: 12.5 } : {}),
    bytes: random.between(0, 2 ** 40),
    client: { name: random.pick(CLIENTS), version: `${random.between(1, 30)}.0` },
    note: random.pick(TEXTS).repeat(random.chance(0.05) ? 100 : random.between(1, 3)),
  };
}

function userOf(random: Random): Record<string, unknown> {
  const kind = random.fraction();
  if (kind < 0.65) return { user: { organization: random.pick(ORGANIZATIONS) } };
  if (kind < 0.8) return { user: { email: `user-${random.between(1, 9)}@${random.pick(DOMAINS)}` } };
  return kind < 0.85 ? { user: { email: 'nobody at all' } } : {};
}
