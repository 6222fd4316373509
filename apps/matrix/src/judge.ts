import type { Mode } from './gateway';
import type { PublishedEvent } from './published';
import type { Where } from './recorder';
import type { Request } from './wire';
import type { ClientName } from './clients/client';

/** How many of what; `arch` has one entry for each pull whose platform is known, sorted. */
export interface Counts {
  pulls: number;
  checks: number;
  arch: readonly string[];
}

/** What must have been published for a cell, and nothing else of these. */
export interface Expected extends Counts {
  /** Of pulls and of referrers, one entry each. */
  kinds: readonly string[];
  referrers: number;
  /** Pulls of which layers were fetched, and not found to be there already. */
  downloads: number;
  /** Whether every pull must carry the organization of the login. */
  organization?: boolean;
}

/** The outcome of one cell for one client in one mode. */
export interface Row {
  client: ClientName;
  version: string;
  image: string;
  mode: Mode;
  expected: Counts;
  seen: Counts;
  /** Null: it could not be played, `problems` says why. */
  ok: boolean | null;
  kinds: readonly string[];
  referrers: number;
  /** Pulls of which layers were fetched. */
  downloads: number;
  /** What the client asked, and of whom, as `HEAD :v1 200`. */
  asked: readonly string[];
  problems: readonly string[];
}

export interface Evidence {
  /** What the client said, where it could not pull. */
  failure: string | undefined;
  events: readonly PublishedEvent[];
  requests: readonly { where: Where; request: Request }[];
  /** Whether this cell's upstream keeps everything at another host. */
  elsewhere: boolean;
  organization: string;
}

export type Verdict = Pick<Row, 'seen' | 'ok' | 'kinds' | 'referrers' | 'downloads' | 'problems'>;

/** Holds what was published against what was expected: every difference is a problem, in words. */
export function judge(expected: Expected, evidence: Evidence): Verdict {
  const { failure, events, requests, elsewhere, organization } = evidence;
  const of = (type: string): PublishedEvent[] => events.filter((event) => event.type === `io.weir.${type}`);
  const pulls = of('pull');
  const referrers = of('referrer');
  const downloads = of('download');
  const seen: Counts = {
    pulls: pulls.length,
    checks: of('check').length,
    arch: pulls.flatMap(({ data }) => data.platform ?? []).sort(),
  };
  const kinds = [...pulls, ...referrers].map(({ data }) => data.kind ?? '?').sort();
  const problems = [
    ...(failure === undefined ? [] : [`the client could not pull: ${failure}`]),
    ...differs('pulls', expected.pulls, seen.pulls),
    ...differs('checks', expected.checks, seen.checks),
    ...differs('architectures', [...expected.arch].sort(), seen.arch),
    ...differs('referrers', expected.referrers, referrers.length),
    ...differs('downloads', expected.downloads, downloads.length),
    ...strays(pulls, downloads),
    ...differs('kinds', [...expected.kinds].sort(), kinds),
    ...(expected.organization ? organizations(pulls, organization) : []),
    ...(elsewhere ? leaks(requests) : []),
  ];
  return { seen, ok: problems.length === 0, kinds, referrers: referrers.length, downloads: downloads.length, problems };
}

function differs(what: string, expected: unknown, seen: unknown): string[] {
  const [wanted, got] = [said(expected), said(seen)];
  return wanted === got ? [] : [`${what}: ${got} instead of ${wanted}`];
}

function said(value: unknown): string {
  return Array.isArray(value) ? value.join(' + ') || 'none' : String(value);
}

/** A download names the pull that it belongs to, and no two name the same. */
function strays(pulls: readonly PublishedEvent[], downloads: readonly PublishedEvent[]): string[] {
  const ids = new Set(pulls.map(({ id }) => id));
  const named = downloads.map(({ data }) => data.pull ?? 'none');
  const strangers = named.filter((id, at) => !ids.has(id) || named.indexOf(id) !== at);
  return strangers.length === 0 ? [] : [`downloads of no pull of their own: ${strangers.length}`];
}

function organizations(pulls: readonly PublishedEvent[], expected: string): string[] {
  return pulls.flatMap(({ data }) => differs('organization', expected, data.user?.organization ?? 'none'));
}

/** The host that an upstream redirects to must have been asked, and must never have been shown a credential. */
function leaks(requests: Evidence['requests']): string[] {
  const there = requests.filter(({ where }) => where === 'storage').map(({ request }) => request);
  if (there.length === 0) return ['the other host was never asked'];
  return there.flatMap(({ method, target, credentials }) =>
    credentials.length === 0 ? [] : [`the other host was shown ${credentials.join(', ')} (${method} ${target})`],
  );
}
