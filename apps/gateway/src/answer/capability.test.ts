import { createHash } from 'node:crypto';
import { capabilityOf } from '@weir/registry';
import { ask, scriptedUpstream, startTestGateway } from '../gateway.test-support';
import { takesRedirectTo } from './redirect-target';
import { modes } from '../rules/rules';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const BODY = Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));
const DIGEST = `sha256:${createHash('sha256').update(BODY).digest('hex')}`;

type Script = Parameters<typeof scriptedUpstream>[0];
const answering: Script = (_, response) =>
  void response.writeHead(200, { 'content-type': IMAGE, 'docker-content-digest': DIGEST }).end(BODY);

describe('a manifest that everybody may read', () => {
  let upstream: Awaited<ReturnType<typeof scriptedUpstream>>;
  beforeAll(async () => void (upstream = await scriptedUpstream(answering)));
  afterAll(() => upstream.stop());

  test.each([
    ['docker/27.1.1 go/go1.21.12', 307],
    ['containerd/v2.3.4-k3s1.36', 307],
    ['containerd/1.3.10', 307],
    ['buildkit/v0.28', 307],
    ['containers/5.39.2 (github.com/containers/image)', 307],
    ['crane/v0.19.0 go-containerregistry/v0.19.0', 307],
    ['Helm/3.13.3', 307],
    ['regclient/regctl (v0.8.0)', 307],
    ['Watchtower (Docker)', 200],
    ['curl/7.88.1', 200],
    ['Go-http-client/1.1', 200],
    ['notcontainerd/1.7.0', 200],
    ['Mozilla/5.0 docker/27.1', 200],
    [undefined, 200],
  ])('in mode auto, %s: %i', async (userAgent, status) => {
    const gateway = await startTestGateway({ upstream: upstream.url });
    const headers = { accept: IMAGE, ...(userAgent === undefined ? {} : { 'user-agent': userAgent }) };
    const answer = await ask(gateway.url, '/v2/a/manifests/v1', { headers });
    const events = await gateway.events();
    await gateway.stop();
    expect(answer.status).toBe(status);
    expect(events.map(({ type }) => type)).toEqual(['io.weir.pull']);
  });

  test.each(modes)('in mode %s nobody who sends credentials is sent away with them', async (mode) => {
    const gateway = await startTestGateway({ upstream: upstream.url, mode });
    for (const userAgent of ['docker/27.1.1', 'containerd/1.7.12', 'crane/v0.19.0', 'skopeo/1.9.3', 'regclient/regctl (v0.8.0)']) {
      const headers = { accept: IMAGE, 'user-agent': userAgent, authorization: 'Bearer anonymous-or-not' };
      expect(await ask(gateway.url, '/v2/a/manifests/v1', { headers })).toMatchObject({ status: 200 });
    }
    await gateway.stop();
  }); // prettier-ignore

  test.each(['auto', 'redirect'] as const)(
    'in mode %s a client that refuses private addresses is not sent to one, for manifests or blobs',
    async (mode) => {
      const gateway = await startTestGateway({ upstream: upstream.url, publicUrl: 'http://10.1.2.3:5000', mode });
      const get = (path: string, userAgent: string) =>
        ask(gateway.url, path, { headers: { accept: IMAGE, 'user-agent': userAgent } });
      for (const path of ['/v2/a/manifests/v1', `/v2/a/blobs/${DIGEST}`]) {
        expect(await get(path, 'crane/v0.21.6 go-containerregistry/v0.21.6')).toMatchObject({
          status: 200,
          body: BODY,
        });
        expect(await get(path, 'containerd/1.7.12')).toMatchObject({
          status: 307,
          headers: { location: `http://10.1.2.3:5000${path}` },
        });
      }
      await gateway.stop();
    },
  );
});

describe('a client that refuses private addresses', () => {
  const crane = capabilityOf({ name: 'crane' });

  test.each([
    ['http://10.0.0.5:5000', 'images.example.com', false],
    ['http://172.31.0.1', 'images.example.com', false],
    ['http://172.32.0.1', 'images.example.com', true],
    ['http://192.168.1.1', '10.0.0.1', false],
    ['http://127.0.0.1:5000', '127.0.0.1:8080', true],
    ['http://127.0.0.1:5000', 'localhost:8080', false],
    ['http://169.254.169.254', 'images.example.com', false],
    ['http://[::1]:5000', 'images.example.com', false],
    ['http://[fd00::1]:5000', 'images.example.com', false],
    ['http://[::ffff:10.0.0.1]', 'images.example.com', false],
    ['http://[2001:db8::1]', 'images.example.com', true],
    ['http://8.8.8.8', 'images.example.com', true],
    ['https://registry.internal', 'images.example.com', true],
    ['http://10.0.0.5:5000', undefined, false],
    ['http://10.0.0.5:5000', 'no host at all', false],
  ])('sent to %s from %s: %s', (url, host, takes) => {
    expect(takesRedirectTo(url, host, crane)).toBe(takes);
    expect(takesRedirectTo(url, host, capabilityOf({ name: 'docker' }))).toBe(true);
  });
});

describe('an upstream that leaves Docker-Content-Digest out', () => {
  let asked: (string | undefined)[] = [];
  let answer: Script = () => {};
  let upstream: Awaited<ReturnType<typeof scriptedUpstream>>;
  const plain: Script = (_, response) => void response.writeHead(200, { 'content-type': IMAGE }).end(BODY);

  beforeAll(async () => {
    upstream = await scriptedUpstream((request, response) => {
      asked.push(request.method);
      answer(request, response);
    });
  });
  beforeEach(() => void ([asked, answer] = [[], plain]));
  afterAll(() => upstream.stop());

  const head = async (userAgent: string, reference = 'v1') => {
    const gateway = await startTestGateway({ upstream: upstream.url });
    const headers = { accept: IMAGE, 'user-agent': userAgent };
    const { status, headers: said } = await ask(gateway.url, `/v2/a/manifests/${reference}`, { method: 'HEAD', headers });
    const [event] = await gateway.events();
    await gateway.stop();
    return { status, digest: said['docker-content-digest'], event };
  }; // prettier-ignore

  test('has it added for a client that fails without, and the check says what was checked', async () => {
    const { status, digest, event } = await head('diun/4.26.0 go/1.21.4 Linux');
    expect([status, digest]).toEqual([200, DIGEST]);
    expect(asked).toEqual(['HEAD', 'GET']);
    expect(event).toMatchObject({ type: 'io.weir.check', data: { digest: DIGEST } });
  });

  test('has it added from the question where that names it', async () => {
    expect(await head('crane/v0.19.0', DIGEST)).toMatchObject({ status: 200, digest: DIGEST });
    expect(asked).toEqual(['HEAD']);
  });

  test.each(['containerd/1.7.12', 'docker/27.1', 'something/1.0'])('is asked once for %s', async (userAgent) => {
    expect(await head(userAgent)).toMatchObject({ status: 200, digest: undefined });
    expect(asked).toEqual(['HEAD']);
  });

  test('that says no more at the second time is passed on as it is', async () => {
    answer = (request, response) => {
      if (request.method === 'HEAD') plain(request, response);
      else response.writeHead(429).end();
    };
    expect(await head('diun/4.26.0')).toMatchObject({ status: 200, digest: undefined });
    answer = (request, response) => {
      if (request.method === 'HEAD') plain(request, response);
      else request.socket.destroy();
    };
    expect(await head('diun/4.26.0')).toMatchObject({ status: 200, digest: undefined });
    answer = (request, response) =>
      void response.writeHead(200, { 'content-type': request.method === 'HEAD' ? IMAGE : 'text/html' }).end(BODY);
    expect(await head('diun/4.26.0')).toMatchObject({ status: 200, digest: undefined });
  });
});
