import { createHash } from 'node:crypto';
import { Registry } from 'prom-client';
import { manifestRequest, manualClock, publisherDouble } from '../gateway.test-support';
import { createMetrics } from '../metrics';
import { createReadability } from '../answer/readability';
import { UpstreamError, type Upstream } from '../answer/upstream';
import { createKnowledge, placeOf } from './knowledge';
import { seeded } from '@weir/testing';
import { interleaved } from './interleaved.test-support';
import { createRecorder } from './recorder';
import type { Answered } from './request';

/**
 * Many machines with the same client behind one address, in any order. The oracle is told which machine sends what, and
 * counts each alone: it must be as many as the recorder finds without being told.
 */
interface Ask {
  method: 'PING' | 'HEAD' | 'GET';
  reference: { tag: string } | { digest: string };
}
/** Of one machine, in its order; `pulls` and `checks` are what a person would say it did. */
interface Machine {
  asks: Ask[];
  pulls: string[];
  checks: number;
}

const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const digestOf = (body: Buffer) => `sha256:${createHash('sha256').update(body).digest('hex')}`;
const hash = (text: string) => digestOf(Buffer.from(text));

function image(name: string) {
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: hash(name), size: 100 }];
  const body = Buffer.from(JSON.stringify({ layers }));
  return { contentType: IMAGE, digest: digestOf(body), body };
}
const [amd64, arm64, single] = [image('amd64'), image('arm64'), image('single')];
const manifests = [amd64, arm64].map(({ digest }, n) => ({
  mediaType: IMAGE,
  digest,
  size: 1,
  platform: { os: 'linux', architecture: n ? 'arm64' : 'amd64' },
}));
const listed = Buffer.from(JSON.stringify({ manifests }));
const index = { contentType: INDEX, digest: digestOf(listed), body: listed };
const known = [amd64, arm64, single, index];
const tags: Record<string, (typeof known)[number]> = { multi: index, stable: index, single, latest: single };

const ping: Ask = { method: 'PING', reference: { tag: '' } };
const head = (tag: string): Ask => ({ method: 'HEAD', reference: { tag } });
const headOf = ({ digest }: { digest: string }): Ask => ({ method: 'HEAD', reference: { digest } });
const get = (tag: string): Ask => ({ method: 'GET', reference: { tag } });
const getOf = ({ digest }: { digest: string }): Ask => ({ method: 'GET', reference: { digest } });
const does = (asks: Ask[], pulled: { digest: string }[], checks = 0): Machine => ({
  asks,
  pulls: pulled.map(({ digest }) => digest),
  checks,
});

/** The dances of each client: reference 2.4. */
const clients: Record<string, Machine[]> = {
  containerd: [
    does([head('multi'), getOf(index), getOf(amd64)], [amd64]),
    does([head('stable'), getOf(index), getOf(arm64)], [arm64]),
    does([head('single'), getOf(single)], [single]),
    does([head('latest'), getOf(single)], [single]),
    does([headOf(index), getOf(index), getOf(amd64)], [amd64]),
    does([headOf(amd64), getOf(amd64)], [amd64]),
    does([head('multi')], [], 1),
    does([head('single')], [], 1),
  ],
  docker: [
    does([ping, head('multi'), getOf(index), getOf(amd64)], [amd64]),
    does([ping, head('stable'), getOf(index), getOf(arm64)], [arm64]),
    does([ping, head('single'), getOf(single)], [single]),
    does([ping, getOf(single)], [single]),
    does([ping, getOf(arm64)], [arm64]),
  ],
  podman: [
    does([ping, get('multi'), getOf(amd64)], [amd64]),
    does([ping, get('stable'), getOf(arm64)], [arm64]),
    does([ping, get('single')], [single]),
    does([ping, getOf(single)], [single]),
    does([ping, getOf(index), getOf(arm64)], [arm64]),
    does([ping, get('multi'), getOf(amd64), getOf(arm64)], [amd64, arm64]),
  ],
  crane: [
    does([ping, get('multi'), getOf(arm64)], [arm64]),
    does([ping, get('latest')], [single]),
    does([ping, head('single')], [], 1),
  ],
  helm: [does([head('single'), getOf(single)], [single]), does([head('latest'), getOf(single)], [single])],
  'containerd whose HEAD is refused': [
    does([get('single'), getOf(single)], [single]),
    does([get('multi'), getOf(index), getOf(amd64)], [amd64]),
  ],
};

/** These have fetched the index before, and do not fetch it again: `docker pull --platform` for the second time. */
const knowing: Record<string, Machine[]> = {
  'docker that knows the index': [
    ...(clients['docker'] ?? []),
    does([ping, head('multi'), getOf(arm64)], [arm64]),
    does([ping, head('stable'), getOf(amd64)], [amd64]),
  ],
  'containerd that knows the index': [
    ...(clients['containerd'] ?? []),
    does([head('multi'), getOf(arm64)], [arm64]),
    does([head('stable'), getOf(amd64)], [amd64]),
  ],
};

/** A stand-in for an upstream: whatever is not in an answer cannot be learned. */
const upstream = {
  name: 'stand-in',
  url: 'http://127.0.0.1:9',
  ask: () => Promise.reject(new UpstreamError('unreachable', 'a stand-in')),
  close: async () => {},
} as unknown as Upstream;

async function startRecorder(knowsIndex: boolean) {
  const publisher = publisherDouble();
  const metrics = createMetrics([new Registry()], () => ({ answers: 0, visits: 0, checks: 0, downloads: 0 }));
  const knowledge = createKnowledge({ labels: [], metrics });
  if (knowsIndex) await knowledge.learnIndex({ ...index, place: placeOf({ upstream, name: 'team/app' }) }, undefined);
  const log = { warn: () => {}, error: (reason: unknown) => { throw new Error(JSON.stringify(reason)); } }; // prettier-ignore
  const clock = manualClock();
  const parts = { publisher, knowledge, readability: createReadability(), metrics, log, clock, source: 'test' };
  return { publisher, clock, recorder: createRecorder(parts) };
}

function send(recorder: ReturnType<typeof createRecorder>, { method, reference }: Ask, from: string): void {
  const source = { key: from, counted: true, facts: async () => ({}) };
  if (method === 'PING') return recorder.pinged(source, 200);
  const found = 'tag' in reference ? tags[reference.tag] : known.find(({ digest }) => digest === reference.digest);
  if (found === undefined) throw new Error('no such manifest');
  const { contentType, digest, body } = found;
  const request = manifestRequest({ method, upstream, reference, from: source, organization: async () => undefined });
  const answer: Answered = { status: 200, contentType, digest, ...(method === 'GET' ? { body } : {}) };
  recorder.answered(request, answer);
}

const sorted = (list: unknown[]) => list.map(String).sort();

async function countOf(asks: Ask[], stepMs: number, knowsIndex = false): Promise<{ pulls: string[]; checks: number }> {
  const { publisher, clock, recorder } = await startRecorder(knowsIndex);
  for (const ask of asks) {
    send(recorder, ask, 'nat');
    // What was asked is counted before time passes, as it is when time is not turned by hand.
    while (recorder.state().answers > 0) await new Promise(setImmediate);
    clock.pass(stepMs);
  }
  await recorder.drain(1_000);
  const of = (type: string) => publisher.events.filter((event) => event.type === type);
  return { pulls: sorted(of('io.weir.pull').map(({ data }) => data['digest'])), checks: of('io.weir.check').length };
}

function expected(machines: Machine[]) {
  return {
    pulls: sorted(machines.flatMap(({ pulls }) => pulls)),
    checks: machines.reduce((sum, { checks }) => sum + checks, 0),
  };
}

describe.each(Object.keys({ ...clients, ...knowing }))('%s', (client) => {
  const dances = clients[client] ?? knowing[client] ?? [];
  const knowsIndex = client in knowing;

  test.each(dances.map(({ asks, pulls, checks }) => ({ asks, pulls, checks })))(
    'alone: $asks.length requests',
    async (machine) => expect(await countOf(machine.asks, 100, knowsIndex)).toEqual(expected([machine])),
  );

  test('machines behind one address, one after the other', async () => {
    const machines = [...dances, ...dances];
    const asks = machines.flatMap((machine) => machine.asks);
    expect(await countOf(asks, 10, knowsIndex)).toEqual(expected(machines));
  });

  test('machines behind one address, in any order', async () => {
    const random = seeded(client.length);
    for (let round = 0; round < 40; round += 1) {
      const machines = Array.from({ length: 12 }, () => dances[Math.floor(random() * dances.length)] as Machine);
      const asks = interleaved(
        machines.map((machine) => machine.asks),
        random,
      );
      // A HEAD that is followed too late is a check: all of a round is within five seconds.
      const found = await countOf(asks, Math.floor(random() * (4_900 / asks.length)), knowsIndex);
      if (JSON.stringify(found) !== JSON.stringify(expected(machines))) {
        const told = asks.map(({ method, reference }) => `${method} ${Object.values(reference)[0]?.slice(0, 14)}`);
        throw new Error(`round ${round}: ${told.join(', ')}`);
      }
      expect(found).toEqual(expected(machines));
    }
  });
});
