import type { SentEvent } from './events';

/**
 * What the stores must hold for an event, derived from the documents alone: seed 000 (keys of usage), reference
 * usage-metrics 1.2 to 1.5, DESIGN section 5. Nothing here is shared with the code that counts.
 */

/** What an event of each type counts as. A check is no pull; the end of a build is not another build. */
const METRICS: Readonly<Record<string, string>> = {
  'io.weir.pull': 'pulls',
  'io.weir.build': 'builds',
  'io.weir.mirror': 'mirrors',
  'io.weir.scan': 'scans',
};

/** The Redis keys that the event adds one to; none for what is not usage. */
export function expectedKeys(event: SentEvent): string[] {
  const metric = METRICS[event.type];
  if (metric === undefined) return [];
  const metrics = metric === 'pulls' && event.data['fusion'] === true ? ['pulls', 'fusion'] : [metric];
  const day = event.time.slice(0, 10);
  const organization = expectedOrganization(event);
  const architectures = [...new Set(platformsOf(event).map(expectedArchitecture))];
  return metrics.flatMap((name) => [
    `${name}/d/${day}`,
    ...architectures.flatMap((architecture) => bothOf(`${name}/a/${architecture}`, day)),
    ...(organization === undefined
      ? []
      : [
          ...bothOf(`${name}/o/${encoded(organization)}`, day),
          ...architectures.flatMap((architecture) =>
            bothOf(`${name}/o/${encoded(organization)}/a/${architecture}`, day),
          ),
        ]),
  ]);
}

/** The one key that every event of usage adds to exactly once, by which such events can be counted. */
export function isDayKey(key: string): boolean {
  return /^(pulls|builds|mirrors|scans)\/d\/\d{4}-\d\d-\d\d$/.test(key);
}

const bothOf = (key: string, day: string): string[] => [key, `${key}/d/${day}`];

/** Verified organization, else the domain of the e-mail address; case folded. */
function expectedOrganization({ data }: SentEvent): string | undefined {
  const { organization, email } = (data['user'] ?? {}) as { organization?: string; email?: string };
  if (organization !== undefined) return organization.trim().toLowerCase();
  const parts = email?.split('@') ?? [];
  return parts.length === 2 ? parts[1]?.toLowerCase() : undefined;
}

/** Names that are not plain are percent-encoded, so that no organization makes up somebody else's key. */
function encoded(name: string): string {
  return [...Buffer.from(name, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[a-z0-9._-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  amd64: 'amd64',
  x86_64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  riscv64: 'riscv64',
};

function expectedArchitecture(platform: string): string {
  const [first = '', second] = platform.split('/');
  return ARCHITECTURES[second ?? first] ?? 'unknown';
}

function platformsOf({ data }: SentEvent): string[] {
  const { platform, platforms } = data as { platform?: string; platforms?: string[] };
  return platforms ?? (platform === undefined ? [] : [platform]);
}

/** What the event's one point in InfluxDB must say: its measurement, and these of its tags and fields. */
export function expectedPoint(event: SentEvent): { measurement: string; timeMs: number; columns: Columns } {
  const { data } = event;
  const architectures = [...new Set(platformsOf(event).map(expectedArchitecture))];
  const known = KINDS[event.type];
  const text = (name: string): string | null => (data[name] as string | undefined) ?? null;
  return {
    measurement: known ?? 'other',
    timeMs: Date.parse(event.time),
    columns: {
      id: event.id,
      source: event.source,
      organization: expectedOrganization(event) ?? null,
      architecture: architectures.length > 1 ? 'multiple' : (architectures[0] ?? null),
      type: known === undefined ? event.type : null,
      repository: text('repository'),
      tag: text('tag'),
      digest: text('digest'),
      outcome: text('outcome'),
      bytes: (data['bytes'] as number | undefined) ?? null,
      fusion: data['fusion'] === undefined ? null : String(data['fusion']),
      client: (data['client'] as { name?: string } | undefined)?.name ?? null,
    },
  };
}

export type Columns = Record<string, string | number | null>;

/** The measurement of every known kind of event that this suite sends (docs/events.md). */
const KINDS: Readonly<Record<string, string>> = {
  'io.weir.pull': 'pull',
  'io.weir.build': 'build',
  'io.weir.mirror': 'mirror',
  'io.weir.scan': 'scan',
  'io.weir.check': 'check',
  'io.weir.build.finished': 'build_finished',
  'io.weir.view': 'view',
};
