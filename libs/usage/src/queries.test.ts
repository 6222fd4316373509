import { createEvent, type WeirEvent } from '@weir/events';
import type { Redis } from 'ioredis';
import { createCounter } from './counter';
import { createQueries, type UsageQuery } from './queries';
import { giveRedis } from './redis.test-support';
import { usageKeys } from './statistics/usage-keys';

let redis: Redis;

giveRedis((client) => (redis = client));

const monday = '2024-04-22';
const tuesday = '2024-04-23';

function pull(day: string, organization: string | undefined, platform = 'linux/amd64'): WeirEvent {
  const user = organization === undefined ? {} : { user: { organization } };
  return createEvent(
    'io.weir.pull',
    { repository: 'a', platform, ...user },
    { source: 'test', time: new Date(`${day}T08:00:00Z`) },
  );
}

async function count(events: readonly WeirEvent[], prefix = ''): Promise<void> {
  await createCounter({ redis, statistics: [usageKeys], prefix, dedupeSeconds: 1000 }).count(events);
}

async function ask(query: Omit<UsageQuery, 'metric'>, prefix = '') {
  const { organizations, ...answer } = await createQueries({ redis, prefix }).ask({ metric: 'pulls', ...query });
  const listed: (readonly [string, number])[] = [];
  for await (const page of organizations) listed.push(...page);
  return { ...answer, organizations: Object.fromEntries(listed), listed: listed.length };
}

describe('after a few pulls', () => {
  beforeEach(() =>
    count([
      pull(monday, 'a.org'),
      pull(tuesday, 'a.org', 'linux/arm/v7'),
      pull(tuesday, 'b.org', 'linux/arm64'),
      pull(tuesday, undefined),
    ]),
  );

  test.each<[string, Omit<UsageQuery, 'metric'>, object]>([
    ['nothing: no count of its own', {}, { count: undefined, organizations: { 'a.org': 2, 'b.org': 1 } }],
    ['a day, anonymous pulls included', { day: tuesday }, { count: 3, organizations: { 'a.org': 1, 'b.org': 1 } }],
    ['a day of one organization only', { day: monday }, { count: 1, organizations: { 'a.org': 1 } }],
    ['a day without pulls', { day: '2024-01-01' }, { count: 0, organizations: {} }],
    ['an organization', { organization: 'a.org' }, { count: 2, organizations: { 'a.org': 2 } }],
    ['an organization in another spelling', { organization: ' A.ORG' }, { count: 2, organizations: { 'a.org': 2 } }],
    ['an organization and a day', { organization: 'a.org', day: monday }, { count: 1, organizations: { 'a.org': 1 } }],
    ['an unknown organization', { organization: 'nobody' }, { count: 0, organizations: { nobody: 0 } }],
    ['what is no name', { organization: '*'.repeat(300) }, { count: 0, organizations: { ['*'.repeat(300)]: 0 } }],
    ['a glob, which is only a name', { organization: '*' }, { count: 0, organizations: { '*': 0 } }],
    ['an architecture', { architecture: 'amd64' }, { architecture: 'amd64', count: 2, organizations: { 'a.org': 1 } }],
    ['an alias', { architecture: 'x86_64' }, { architecture: 'amd64', count: 2, organizations: { 'a.org': 1 } }],
    ['arm, which is not arm64', { architecture: 'arm' }, { architecture: 'arm', count: 1, organizations: { 'a.org': 1 } }],
    ['arm64', { architecture: 'aarch64' }, { architecture: 'arm64', count: 1, organizations: { 'b.org': 1 } }],
    ['an architecture and a day', { architecture: 'amd64', day: tuesday }, { architecture: 'amd64', count: 1, organizations: {} }],
    ['all three', { architecture: 'arm', organization: 'a.org', day: tuesday }, { architecture: 'arm', count: 1, organizations: { 'a.org': 1 } }],
    ['all three, without pulls', { architecture: 'arm', organization: 'b.org', day: tuesday }, { architecture: 'arm', count: 0, organizations: { 'b.org': 0 } }],
  ])('asking for %s', async (_, query, expected) => {
    expect(await ask(query)).toMatchObject(expected);
  }); // prettier-ignore
});

test('the breakdown is complete and free of repetitions for 30,000 organizations', async () => {
  const names = Array.from({ length: 30_000 }, (_, n) => `org-${(n * 7919) % 30_000}.example`);
  for (let from = 0; from < names.length; from += 5000) {
    await count(names.slice(from, from + 5000).map((name) => pull(tuesday, name)));
  }
  for (const query of [{}, { day: tuesday }, { architecture: 'amd64', day: tuesday }]) {
    const { organizations, listed } = await ask(query);
    expect(listed).toBe(30_000);
    expect(Object.keys(organizations).sort()).toEqual([...names].sort());
    expect(Object.values(organizations).every((each) => each === 1)).toBe(true);
  }
});

test('organizations that come while the breakdown is read neither repeat nor hide one that was there', async () => {
  await count(Array.from({ length: 2500 }, (_, n) => pull(tuesday, `m${String(n).padStart(4, '0')}`)));
  const { organizations } = await createQueries({ redis, prefix: '' }).ask({ metric: 'pulls' });
  const listed: string[] = [];
  for await (const page of organizations) {
    listed.push(...page.map(([name]) => name));
    await count(Array.from({ length: 500 }, (_, n) => pull(tuesday, `${listed.length % 2 ? 'z' : 'a'}${n}-${listed.length}`)));
  }
  expect(new Set(listed).size).toBe(listed.length);
  expect(listed.filter((name) => name.startsWith('m')).length).toBe(2500);
}); // prettier-ignore

test('names of any script and any sign are listed as they are', async () => {
  const names = ['münchen', '漢字', 'a/d/2024-01-01', '*', '[a-z]', '{tag}', '-', '+', '(a', '"quoted"', 'a b'];
  await count(names.map((name) => pull(tuesday, name)));
  expect(Object.keys((await ask({})).organizations).sort()).toEqual([...names].sort());
});

test('what stands under another prefix is not seen', async () => {
  await count([pull(tuesday, 'a.org')], 'one:');
  expect((await ask({ day: tuesday }, 'one:')).count).toBe(1);
  expect((await ask({ day: tuesday }, 'two:')).count).toBe(0);
  expect((await ask({ day: tuesday })).organizations).toEqual({});
});
