import { createEvent, type WeirEvent } from '@weir/events';

const DIGEST = `sha256:${'a1'.repeat(32)}`;
const PLATFORMS = ['linux/amd64', 'linux/arm64/v8', 'linux/arm/v7'] as const;

const DAYS = 10;
const DAY_MS = 86_400_000;
const firstDay = Math.floor(Date.now() / DAY_MS - DAYS) * DAY_MS;

/**
 * Pull number `n` of a registry that is in use: 50 organizations with a repository of 20 tags each, three
 * architectures, the last ten whole days. Some 400 bytes each; no two are the same event.
 */
export function pullOf(n: number): WeirEvent {
  const data = {
    repository: `team-${n % 50}/app`,
    tag: `1.${n % 20}`,
    digest: DIGEST,
    platform: PLATFORMS[n % PLATFORMS.length],
    user: { email: `me@org-${n % 50}.example` },
    client: { name: 'docker', version: '27.1.1' },
  };
  const time = new Date(firstDay + (n % DAYS) * DAY_MS + DAY_MS / 2 + (n % 1000));
  return createEvent('io.weir.pull', data, { source: 'bench', time });
}

/** The keys of the days of such pulls: their values add up to the number of pulls that were counted. */
export const PULL_DAYS = Array.from(
  { length: DAYS },
  (_, day) => `pulls/d/${new Date(firstDay + day * DAY_MS).toISOString().slice(0, 10)}`,
);
