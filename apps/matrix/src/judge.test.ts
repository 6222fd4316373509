import { judge, type Evidence, type Expected } from './judge';
import type { PublishedEvent } from './published';
import type { Request } from './wire';

const expected: Expected = {
  pulls: 1,
  checks: 0,
  arch: ['linux/amd64'],
  kinds: ['image'],
  referrers: 0,
  downloads: 1,
  organization: true,
};
const pull: PublishedEvent = {
  id: 'one',
  type: 'io.weir.pull',
  data: { platform: 'linux/amd64', kind: 'image', user: { organization: 'example.com' } },
};
const download: PublishedEvent = { id: 'two', type: 'io.weir.download', data: { pull: 'one' } };
const check: PublishedEvent = { id: 'three', type: 'io.weir.check', data: {} };
const signature: PublishedEvent = { id: 'four', type: 'io.weir.referrer', data: { kind: 'signature' } };
const request: Request = { method: 'GET', target: '/v2/a/blobs/b', userAgent: 'x', credentials: [], status: 200 };

const judged = (evidence: Partial<Evidence>, wanted = expected) =>
  judge(wanted, {
    failure: undefined,
    events: [pull, download],
    requests: [],
    elsewhere: false,
    organization: 'example.com',
    ...evidence,
  });

test('what was expected, and nothing else, is ok', () => {
  expect(judged({})).toEqual({
    seen: { pulls: 1, checks: 0, arch: ['linux/amd64'] },
    ok: true,
    kinds: ['image'],
    referrers: 0,
    downloads: 1,
    problems: [],
  });
});

test.each<[string, Partial<Evidence>, RegExp]>([
  ['a pull that was not counted', { events: [] }, /pulls: 0 instead of 1/],
  ['a pull that was counted twice', { events: [pull, { ...pull, id: 'again' }, download] }, /pulls: 2 instead of 1/],
  ['a HEAD that belongs to a pull', { events: [pull, download, check] }, /checks: 1 instead of 0/],
  ['a signature', { events: [pull, download, signature] }, /referrers: 1 instead of 0/],
  ['layers that nobody fetched', { events: [pull] }, /downloads: 0 instead of 1/],
  ['another platform', { events: [{ ...pull, data: { ...pull.data, platform: 'linux/arm64/v8' } }, download] }, /architectures: linux\/arm64\/v8 instead of linux\/amd64/],
  ['no platform', { events: [{ ...pull, data: { kind: 'image' } }, download] }, /architectures: none instead of/],
  ['another kind', { events: [{ ...pull, data: { ...pull.data, kind: 'artifact' } }, download] }, /kinds: artifact instead of image/],
  ['no organization', { events: [{ ...pull, data: { ...pull.data, user: {} } }, download] }, /organization: none instead of example\.com/],
  ["somebody else's download", { events: [pull, { ...download, data: { pull: 'other' } }] }, /downloads of no pull/],
  ['a client that could not pull', { failure: 'unauthorized' }, /could not pull: unauthorized/],
  ['another host that nobody asked', { elsewhere: true }, /never asked/],
  ['another host that was shown a login', { elsewhere: true, requests: [{ where: 'storage', request: { ...request, credentials: ['authorization'] } }] }, /was shown authorization/],
])('%s is told', (_, evidence, problem) => {
  const { ok, problems } = judged(evidence);
  expect(ok).toBe(false);
  expect(problems.join('; ')).toMatch(problem);
}); // prettier-ignore

test('a login at the upstream itself is no leak', () => {
  const login = { ...request, credentials: ['authorization'] };
  const requests = [
    { where: 'upstream' as const, request: login },
    { where: 'storage' as const, request },
  ];
  expect(judged({ elsewhere: true, requests }).problems).toEqual([]);
});

test('two downloads may not share one pull', () => {
  const wanted = {
    ...expected,
    pulls: 2,
    arch: ['linux/amd64', 'linux/amd64'],
    kinds: ['image', 'image'],
    downloads: 2,
  };
  const events = [pull, { ...pull, id: 'again' }, download, { ...download, id: 'five' }];
  expect(judged({ events }, wanted).problems).toEqual(['downloads of no pull of their own: 1']);
});
