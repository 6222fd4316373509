import { Registry } from 'prom-client';
import { openUpstream } from '../answer/upstream';
import { createReadability } from '../answer/readability';
import { digestOf } from '../digest';
import { manifestRequest, manualClock, publisherDouble, scriptedUpstream } from '../gateway.test-support';
import { createMetrics } from '../metrics';
import { createKnowledge } from './knowledge';
import { createRecorder } from './recorder';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const LAYER = `sha256:${'a1'.repeat(32)}`;
const BODY = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config: { mediaType: 'application/vnd.example', digest: LAYER, size: 2 }, layers: [{ mediaType: 'application/vnd.example.layer', digest: LAYER, size: 9 }] }),
); // prettier-ignore
const DIGEST = digestOf({ contentType: IMAGE, body: BODY }) ?? '';
const limits = { connectTimeoutMs: 5_000, answerTimeoutMs: 5_000, idleTimeoutMs: 5_000, connections: 8 };

async function recording() {
  const registry = await scriptedUpstream((request, response) => {
    response.writeHead(200, {
      'content-type': IMAGE,
      'docker-content-digest': DIGEST,
      'content-length': BODY.length,
    });
    response.end(request.method === 'HEAD' ? undefined : BODY);
  });
  const upstream = openUpstream({ name: 'hub', url: registry.url, publicUrl: registry.url }, limits);
  const publisher = publisherDouble();
  const metrics = createMetrics([new Registry()], () => ({ answers: 0, visits: 0, checks: 0, downloads: 0 }));
  const knowledge = createKnowledge({ labels: [], metrics });
  const log = { warn: () => {}, error: (reason: unknown) => { throw new Error(JSON.stringify(reason)); } }; // prettier-ignore
  const parts = { publisher, knowledge, readability: createReadability(), metrics, log, source: 'test' };
  const recorder = createRecorder({ ...parts, clock: manualClock() });
  const request = (key: string, method: 'GET' | 'HEAD' = 'GET') =>
    manifestRequest({
      method,
      upstream,
      reference: { tag: 'v1' },
      from: { key, counted: true, facts: () => ({}) },
      organization: () => undefined,
    });
  const close = async () => {
    await upstream.close();
    await registry.stop();
  };
  /** What was made of it, when the process ends now. */
  const events = async () => {
    await recorder.drain(5_000);
    return publisher.events.map(({ type }) => type.replace('io.weir.', '')).sort();
  };
  return { recorder, request, events, close };
}

test('who was redirected in the round of the event loop in which the process is ended is counted', async () => {
  const { recorder, request, events, close } = await recording();
  for (const source of ['a', 'b', 'c']) recorder.redirected(request(source));
  expect(recorder.state().answers).toBe(3);
  expect(await events()).toEqual(['pull', 'pull', 'pull']);
  await close();
});

test('what is answered or fetched right behind a redirect is counted behind it', async () => {
  const { recorder, request, events, close } = await recording();
  recorder.redirected(request('a'));
  expect(recorder.followsBlobs()).toBe(true);
  recorder.fetching({ from: request('a').from, repository: 'team/app', digest: LAYER, range: undefined })('all');
  // Behind the pull, so that it is no step of it but a check of its own.
  recorder.answered(request('a', 'HEAD'), { status: 200, contentType: IMAGE, digest: DIGEST });
  expect(await events()).toEqual(['check', 'download', 'pull']);
  await close();
});
