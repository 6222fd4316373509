import { createHash } from 'node:crypto';
import type { ImageConfig } from '@weir/registry';
import { Registry } from 'prom-client';
import { createMetrics } from '../metrics';
import { createKnowledge } from './knowledge';
import type { SharedKnowledge } from './shared-knowledge';

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

test('a configuration that was asked for before other labels were wanted is not remembered for them', async () => {
  const answers: { labels: readonly string[]; answer: (config: ImageConfig) => void }[] = [];
  const body = JSON.stringify({ config: { digest: sha256('{}'), size: 2 }, layers: [] });
  const image = {
    place: 'hub team/app',
    contentType: 'application/vnd.oci.image.manifest.v1+json',
    digest: sha256(body),
    body: Buffer.from(body),
  };
  /** A stand-in for a Redis that takes its time. */
  const shared: SharedKnowledge = {
    manifest: async () => undefined,
    config: (_, labels) => new Promise((answer) => answers.push({ labels, answer })),
    tellManifest: () => {},
    tellConfig: () => {},
    close: () => {},
  };
  const metrics = createMetrics([new Registry()], () => ({ answers: 0, visits: 0, checks: 0, downloads: 0 }));
  const knowledge = createKnowledge({ labels: [], metrics, shared });
  const learn = async (label: string) => {
    const facts = knowledge.learnImage(image, undefined);
    while (answers.length === 0) await new Promise(setImmediate);
    const asked = answers.shift();
    knowledge.want(['new']);
    asked?.answer({ labels: { [label]: 'yes' } });
    return { labels: asked?.labels, facts: await facts };
  };
  expect(await learn('old')).toMatchObject({ labels: [], facts: { labels: { old: 'yes' } } });
  expect(await learn('new')).toMatchObject({ labels: ['new'], facts: { labels: { new: 'yes' } } });
});
