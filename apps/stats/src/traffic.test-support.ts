import { createHash } from 'node:crypto';
import { createEvent, type WeirEvent } from '@weir/events';
import { seeded } from '@weir/testing';

const HOUR_MS = 3_600_000;

/** What an image would be called by somebody who means harm. */
export const HOSTILE = '<img src=x onerror="document.title=\'hostile\'">';

type Weighted<T> = readonly (readonly [T, number])[];

const ORGANIZATIONS: Weighted<string | undefined> = [
  ['acme.example', 30],
  ['biolab.example', 18],
  ['umbrella.example', 12],
  ['initech.example', 9],
  ['hooli.example', 7],
  ['globex.example', 5],
  ['wonka.example', 3],
  ['stark.example', 2],
  ['wayne.example', 1],
  [undefined, 13],
];
const REPOSITORIES: Weighted<string> = [
  ['library/nginx', 24],
  ['acme/payments', 17],
  ['biocontainers/samtools', 14],
  ['library/postgres', 10],
  ['acme/storefront', 8],
  ['nf-core/rnaseq', 7],
  ['library/redis', 5],
  ['umbrella/research/models/protein-folding-inference-server', 4],
  [HOSTILE, 2],
  ['library/alpine', 2],
];
const TAGS: Weighted<string> = [['latest', 5], ['1.27', 3], ['2.4.1', 2], ['stable', 1]]; // prettier-ignore
const CLIENTS: Weighted<{ name: string; version: string } | undefined> = [
  [{ name: 'containerd', version: '1.7.24' }, 34],
  [{ name: 'docker', version: '27.3.1' }, 26],
  [{ name: 'docker', version: '24.0.7' }, 9],
  [{ name: 'podman', version: '5.3.0' }, 9],
  [{ name: 'buildkit', version: '0.17.2' }, 8],
  [{ name: 'skopeo', version: '1.17.0' }, 5],
  [{ name: 'helm', version: '3.16.3' }, 3],
  [undefined, 6],
];
const PLATFORMS: Weighted<string> = [['linux/amd64', 62], ['linux/arm64', 33], ['linux/arm/v7', 5]]; // prettier-ignore
const COUNTRIES: Weighted<string | undefined> = [['DE', 26], ['US', 22], ['CH', 16], ['FR', 9], ['GB', 8], ['JP', 5], ['BR', 4], [undefined, 10]]; // prettier-ignore
const NETWORKS: Weighted<string | undefined> = [['Amazon.com', 30], ['Hetzner Online', 20], ['Deutsche Telekom', 12], ['Swisscom', 9], [undefined, 29]]; // prettier-ignore
const KINDS: Weighted<string> = [['image', 90], ['helm-chart', 7], ['artifact', 3]]; // prettier-ignore
const OUTCOMES: Weighted<string> = [['succeeded', 88], ['failed', 9], ['cancelled', 2], ['timed-out', 1]]; // prettier-ignore
const HOURS = [3, 2, 2, 2, 3, 5, 9, 16, 24, 28, 30, 29, 25, 27, 30, 29, 26, 21, 15, 11, 9, 7, 6, 4];
const WEEKDAYS = [0.4, 1, 1.05, 1.1, 1, 0.9, 0.45];

/**
 * Events of all kinds that the page shows, from `days` before `now` on, with the rhythm of days and weeks: the same for
 * the same hours. `busy` is about how many pulls there are in the middle of a day's hour.
 */
export function traffic({ now, days, busy }: { now: number; days: number; busy: number }): WeirEvent[] {
  const random = seeded(4);
  const of = <T>(choices: Weighted<T>): T => {
    let at = random() * choices.reduce((sum, [, weight]) => sum + weight, 0);
    const found = choices.find(([, weight]) => (at -= weight) < 0) ?? choices[0];
    return (found as readonly [T, number])[0];
  };
  const events: WeirEvent[] = [];
  const add = (type: string, time: number, data: object) =>
    void (time < now && events.push(createEvent(type, data, { source: 'traffic', time: new Date(time) })));

  const first = Math.floor(now / HOUR_MS) - days * 24;
  for (let hour = first; hour * HOUR_MS < now; hour += 1) {
    const start = hour * HOUR_MS;
    const weekday = WEEKDAYS[new Date(start).getUTCDay()] ?? 1;
    const rate = (weekday * (HOURS[hour % 24] ?? 1)) / 30;
    const growth = 0.8 + (0.4 * (hour - first)) / (days * 24);
    const some = (most: number) => Math.round(most * rate * growth * (0.85 + 0.3 * random()));
    const sometime = () => start + Math.floor(random() * HOUR_MS);

    for (let n = some(busy); n > 0; n -= 1) {
      const time = sometime();
      const [organization, client, country, network] = [of(ORGANIZATIONS), of(CLIENTS), of(COUNTRIES), of(NETWORKS)];
      const image = {
        repository: of(REPOSITORIES),
        tag: of(TAGS),
        platform: of(PLATFORMS),
        kind: of(KINDS),
        fusion: random() < 0.2,
        pattern: random() < 0.6 ? 'production-or-poller' : 'development',
        ...(organization === undefined ? {} : { user: { organization } }),
        ...(client === undefined ? {} : { client }),
        ...(country === undefined ? {} : { country }),
        ...(network === undefined ? {} : { network: { name: network } }),
      };
      add('io.weir.pull', time, { ...image, source: pseudonyms(Math.floor(random() ** 2 * busy * 20), time) });
      if (random() < 0.5) add('io.weir.download', time, { ...image, bytes: Math.round(4e7 + random() * 3e8) });
      for (let checks = random() < 0.6 ? 2 : 1; checks > 0; checks -= 1) add('io.weir.check', sometime(), image);
    }
    for (let n = some(busy / 6); n > 0; n -= 1) {
      const kind = of([['build', 6], ['mirror', 2], ['scan', 2]] as const); // prettier-ignore
      const job = {
        repository: of(REPOSITORIES),
        platform: of(PLATFORMS),
        user: { organization: of(ORGANIZATIONS.slice(0, 5)) },
      };
      const durationMs = Math.round(4000 + 600_000 * random() ** 4);
      const time = sometime();
      add(`io.weir.${kind}`, time, job);
      add(`io.weir.${kind}.finished`, time + durationMs, { ...job, durationMs, outcome: of(OUTCOMES) });
    }
    for (const service of ['registry', 'scanner', 'login']) {
      const healthy = random() < 0.98;
      add('io.weir.health', sometime(), { service, healthy, responseTimeMs: Math.round(8 + 60 * random() ** 3) });
    }
  }
  return events;
}

/** A machine as the gateway names it. */
function pseudonyms(machine: number, time: number) {
  const day = new Date(time).toISOString().slice(0, 10);
  const pseudonym = (of: string) => createHash('sha256').update(`${of} ${machine}`).digest('hex');
  return { day: pseudonym(day).slice(0, 22), month: pseudonym(day.slice(0, 7)).slice(0, 6) };
}
