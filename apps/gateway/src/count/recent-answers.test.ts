import type { Upstream } from '../answer/upstream';
import { createRecentAnswers } from './recent-answers';
import type { Answered, ManifestRequest } from './request';

const DIGEST = `sha256:${'a1'.repeat(32)}`;
const there: Answered = { status: 200, contentType: undefined, digest: DIGEST };
const upstream = { name: 'hub' } as Upstream;
let now: number;
let asked: number;

const recentAnswers = () => createRecentAnswers({ now: () => now });
const request = (more: Partial<ManifestRequest> = {}) =>
  ({ upstream, name: 'a', reference: { tag: 'v1' }, accept: '*/*', ...more }) as ManifestRequest;
const answering = (answer: Answered | undefined) => async () => {
  asked += 1;
  return answer;
};

beforeEach(() => {
  now = 1000;
  asked = 0;
});

test('all who ask the same at one time get the answer to one question', async () => {
  const recent = recentAnswers();
  const answers = await Promise.all([1, 2, 3].map(() => recent.of(request(), answering(there))));
  expect(answers).toEqual([there, there, there]);
  expect(asked).toBe(1);
});

test.each([
  ['tag', { tag: 'v1' }, 2_000],
  ['digest', { digest: DIGEST }, 60_000],
])('what a %s stands for is believed for its time, and no longer', async (_, reference, ms) => {
  const recent = recentAnswers();
  await recent.of(request({ reference }), answering(there));
  now += ms - 1;
  await recent.of(request({ reference }), answering(there));
  expect(asked).toBe(1);
  now += 1;
  await recent.of(request({ reference }), answering(there));
  expect(asked).toBe(2);
});

test.each([
  ['another name', { name: 'b' }],
  ['another tag', { reference: { tag: 'v2' } }],
  ['another Accept', { accept: 'application/json' }],
  ['another upstream', { upstream: { name: 'hub' } as Upstream }],
  ['If-None-Match', { ifNoneMatch: '"x"' }],
])('%s is another question', async (_, more) => {
  const recent = recentAnswers();
  await recent.of(request(), answering(there));
  await recent.of(request(more as Partial<ManifestRequest>), answering(there));
  expect(asked).toBe(2);
});

test.each([
  ['what is missing', { ...there, status: 404 }],
  ['an answer without a digest', { ...there, digest: undefined }],
  ['one with its body', { ...there, body: Buffer.from('{}') }],
  ['none at all', undefined],
])('%s is not remembered', async (_, answer) => {
  const recent = recentAnswers();
  await recent.of(request(), answering(answer as Answered | undefined));
  await recent.of(request(), answering(there));
  expect(asked).toBe(2);
});

test('a request with an Accept beyond all measure is asked for itself', async () => {
  const recent = recentAnswers();
  const long = request({ accept: 'a'.repeat(2001) });
  await recent.of(long, answering(there));
  await recent.of(long, answering(there));
  expect(asked).toBe(2);
});

test('an upstream that does not answer is believed nothing of what it said before', async () => {
  const recent = recentAnswers();
  await recent.of(request(), answering(there));
  await recent.of(request({ name: 'b' }), answering(undefined));
  await recent.of(request(), answering(there));
  expect(asked).toBe(3);
});

test('a question that failed is asked again', async () => {
  const recent = recentAnswers();
  await expect(recent.of(request(), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await recent.of(request(), answering(there))).toBe(there);
});
