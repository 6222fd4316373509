import type { IncomingHttpHeaders } from 'node:http';
import { isPublicAddress, isUsableAddress } from '../addresses';
import { ask, errorOf, scriptedUpstream, startTestGateway } from '../gateway.test-support';
import { parseRules } from '../rules/rules-file';
import { mayPass } from './challenge';
import { createDestinations, type Resolve } from './destinations';
import { openUpstream } from './upstream';

// S04 to S06: how far an upstream is trusted. It may be taken over, or be somebody's who means no good.

const LIMITS = { connectTimeoutMs: 2_000, answerTimeoutMs: 2_000, idleTimeoutMs: 2_000, connections: 4 };
const question = { method: 'GET', path: '/v2/a/manifests/v1', headers: {}, elsewhere: 'follow' } as const;
const signal = new AbortController().signal;

/** An upstream behind rules; `settings` are the fields of the rules file beside `url`. */
function gatewayFor(url: string, settings: object) {
  const read = parseRules({ upstreams: { hub: { url, ...settings } }, rules: [{ upstream: 'hub', mode: 'proxy' }] });
  if (!read.ok) throw new Error(read.problems.join());
  return startTestGateway({ rules: read.rules });
}

describe('addresses', () => {
  const neverPublic = [
    '0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.0.1', '169.254.169.254', '172.16.0.1', '172.31.9.9',
    '192.0.0.8', '192.0.2.1', '192.168.1.1', '198.18.0.1', '198.51.100.7', '203.0.113.9', '224.0.0.1', '240.0.0.1',
    '255.255.255.255', '::', '::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::127.0.0.1', '64:ff9b::7f00:1',
    '64:ff9b::10.0.0.1', '64:ff9b:1::1', '100::1', '2001::1', '2001:db8::1', '2002:7f00:1::1', 'fc00::1', 'fd12::1',
    'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1', '3fff::1', '', 'example.com', '1.2.3',
  ]; // prettier-ignore
  test.each(neverPublic)('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));

  test.each(['8.8.8.8', '100.63.255.255', '172.32.0.1', '2606:4700::1', '2001:4860::8888', '::ffff:8.8.8.8', '64:ff9b::808:808'])(
    '%s is public', (address) => expect(isPublicAddress(address)).toBe(true),
  ); // prettier-ignore

  test.each([
    ['10.0.0.1', true], ['127.0.0.1', true], ['::1', true], ['fd00::1', true], ['8.8.8.8', true],
    ['169.254.169.254', false], ['::ffff:169.254.169.254', false], ['0.0.0.0', false], ['::', false],
    ['fe80::1', false], ['ff02::1', false], ['224.0.0.1', false],
  ] as const)('a name may stand for %s: %s', (address, expected) => expect(isUsableAddress(address)).toBe(expected)); // prettier-ignore
});

describe('a redirect of the upstream to another host (S04)', () => {
  let elsewhere: Awaited<ReturnType<typeof scriptedUpstream>>;
  let upstream: Awaited<ReturnType<typeof scriptedUpstream>>;
  let location = '';
  let seen: IncomingHttpHeaders[] = [];

  beforeAll(async () => {
    elsewhere = await scriptedUpstream((request, response) => {
      seen.push(request.headers);
      response.end('inner secret');
    });
    upstream = await scriptedUpstream((_, response) => void response.writeHead(307, { location }).end());
  });
  beforeEach(() => void (seen = []));
  afterAll(async () => {
    await upstream.stop();
    await elsewhere.stop();
  });

  /** The upstream by a name of its own, so that nothing here has its address; `names` is what the resolver says. */
  const namedUpstream = (names: Record<string, string[]>, settings: object = {}) => {
    const { port } = new URL(upstream.url);
    const resolve: Resolve = async (host) =>
      (names[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const url = `http://registry.test:${port}`;
    return openUpstream({ name: 'hub', url, publicUrl: url, ...settings }, LIMITS, resolve);
  };

  test.each([
    'http://169.254.169.254/latest/meta-data', 'http://10.0.0.1/', 'http://[::1]/', 'http://[fd00::1]/', 'http://0.0.0.0/',
    'http://2130706434/', 'http://0x7f.2/', 'http://0177.0.0.2/', 'http://127.2/', 'http://[::ffff:169.254.169.254]/',
  ])('to %s is not followed', async (to) => {
    location = to;
    const through = await gatewayFor(upstream.url, {});
    const answer = await ask(through.url, '/v2/a/manifests/v1');
    await through.stop();
    expect(answer.status).toBe(502);
    expect(errorOf(answer.body)).toMatchObject([{ message: 'the upstream redirects to a host that is not followed' }]);
    expect(answer.body.toString()).not.toContain(new URL(to).host);
    expect(through.logged()).toContain(`${new URL(to).host} has no public address`);
  }); // prettier-ignore

  test.each([['127.0.0.2'], ['169.254.169.254'], ['10.0.0.1', '::1']])(
    'to a name that stands for %s is not followed',
    async (...addresses) => {
      let reached = 0;
      const inner = await scriptedUpstream((_, response) => void response.end(`${(reached += 1)}`), '127.0.0.2');
      location = `http://storage.test:${new URL(inner.url).port}/x`;
      const asking = namedUpstream({ 'registry.test': ['127.0.0.1'], 'storage.test': addresses });
      await expect(asking.ask({ ...question, signal })).rejects.toMatchObject({ reason: 'refused' });
      await asking.close();
      await inner.stop();
      expect(reached).toBe(0);
    },
  );

  test('to a name that changes its address after it was looked at goes nowhere else: it is looked up once', async () => {
    const inner = await scriptedUpstream((_, response) => void response.end('inner secret'), '127.0.0.2');
    location = `http://rebind.test:${new URL(inner.url).port}/x`;
    const looked: string[] = [];
    // Public at the first look, though no host has it; then the inner server.
    const names = () => (looked.length === 1 ? { address: '3ffd::1', family: 6 } : { address: '127.0.0.2', family: 4 });
    const opened = openUpstream({ name: 'hub', url: upstream.url, publicUrl: undefined }, LIMITS, async (host) => {
      looked.push(host);
      return [names()];
    });
    const failed = await opened.ask({ ...question, signal }).catch((error: unknown) => error);
    await opened.close();
    await inner.stop();
    expect(failed).toMatchObject({ name: 'UpstreamError' });
    expect(looked).toEqual(['rebind.test']);
  });

  test('only the addresses that may be reached are handed to the connection', async () => {
    const resolve: Resolve = async () => [{ address: '10.0.0.1', family: 4 }, { address: '8.8.8.8', family: 4 }]; // prettier-ignore
    const { elsewhere: guarded } = createDestinations({ url: 'http://198.51.100.1' }, resolve);
    const all = await new Promise((done) => guarded('x', { all: true }, (_, found) => done(found)));
    const one = await new Promise((done) => guarded('x', { family: 4 }, (_, address) => done(address)));
    expect([all, one]).toEqual([[{ address: '8.8.8.8', family: 4 }], '8.8.8.8']);
  });

  test('to an address that the upstream itself has is followed, without credentials', async () => {
    location = `http://storage.test:${new URL(elsewhere.url).port}/x`;
    const asking = namedUpstream({ 'registry.test': ['127.0.0.1'], 'storage.test': ['127.0.0.1'] });
    const answer = await asking.ask({ ...question, headers: { authorization: 'Bearer x', accept: 'a/b' }, signal });
    expect(await answer.body.text()).toBe('inner secret');
    await asking.close();
    expect(seen).toEqual([expect.objectContaining({ accept: 'a/b' })]);
    expect(seen[0]).not.toHaveProperty('authorization');
  });

  test('to a host on the list is followed wherever it is, to any other it is not', async () => {
    const port = new URL(elsewhere.url).port;
    const names = { 'registry.test': ['127.0.0.1'], 'a.store.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'] };
    const asking = namedUpstream(names, { redirects: ['*.store.test'] });
    location = `http://a.store.test:${port}/x`;
    expect((await asking.ask({ ...question, signal })).status).toBe(200);
    location = `http://other.test:${port}/x`;
    await expect(asking.ask({ ...question, signal })).rejects.toMatchObject({ reason: 'refused' });
    await asking.close();
  });

  test('with an empty list is followed nowhere, and still handed to the client of a blob', async () => {
    location = elsewhere.url;
    const through = await gatewayFor(upstream.url, { redirects: [], publicUrl: false });
    const manifest = await ask(through.url, '/v2/a/manifests/v1');
    const blob = await ask(through.url, `/v2/a/blobs/sha256:${'ab'.repeat(32)}`);
    await through.stop();
    expect(manifest.status).toBe(502);
    expect([blob.status, blob.headers.location]).toEqual([307, `${elsewhere.url}`]);
    expect(seen).toEqual([]);
  });

  test('a configured name that stands for an address of no server is not connected to', async () => {
    for (const address of ['169.254.169.254', '0.0.0.0', '::']) {
      const asking = namedUpstream({ 'registry.test': [address] });
      await expect(asking.ask({ ...question, signal })).rejects.toMatchObject({ name: 'UpstreamError' });
      await asking.close();
    }
  });

  test('no header of the client that may be secret goes along (S05)', async () => {
    location = elsewhere.url;
    const through = await gatewayFor(upstream.url, {});
    const secrets = { authorization: 'Bearer s', 'proxy-authorization': 'Basic s', cookie: 's=1', 'x-api-key': 's' };
    await ask(through.url, '/v2/a/manifests/v1', { headers: { ...secrets, accept: 'a/b' } });
    await through.stop();
    expect(seen).toHaveLength(1);
    for (const name of Object.keys(secrets)) expect(seen[0]).not.toHaveProperty(name);
  });
});

describe('a challenge (S06)', () => {
  const hub = { name: 'hub', url: 'http://registry.inner:5000', publicUrl: 'https://registry.example.com' };

  test.each([
    ['Bearer realm="https://auth.docker.io/token",service="registry.docker.io"', true],
    ['Bearer realm="https://registry.example.com/token",service="x",scope="repository:a:pull"', true],
    ['Bearer realm="http://registry.inner:5001/token"', true],
    ['bearer Service="x", REALM = "http://registry.example.com/token"', true],
    ['Basic realm="private area, please"', true],
    ['Negotiate', true],
    ['Basic realm="http://evil.example/"', true],
    ['Bearer realm="http://evil.example/token"', false],
    ['Bearer realm=http://evil.example/token', false],
    ['Bearer service="x",realm="ht\\tp://evil.example/token"', false],
    ['Basic realm="x", Bearer realm="http://evil.example/token"', false],
    ['Bearer realm="https://auth.docker.io/token", Bearer realm="http://evil.example"', false],
    ['Bearer realm="https://registry.example.com\\\\@evil.example/"', false],
    ['Bearer realm="https://registry.example.com@evil.example/"', false],
    ['Bearer realm="https://evil.example/ x"', false],
    ['Bearer realm="file:///etc/passwd"', false],
    ['Bearer realm="//evil.example/token"', false],
    ['Bearer realm=""', false],
    ['Bearer realm="https://never.closed', false],
    ['Bearer =,=', false],
  ])('%s passes: %s', (challenge, expected) => expect(mayPass(hub)(challenge)).toBe(expected));

  test.each([
    ['Bearer realm="http://auth.inner:5001/token"', true],
    ['Bearer realm="http://auth.inner:5002/token"', false],
    ['Bearer realm="https://a.login.example/token"', true],
    ['Bearer realm="https://evil.example/token"', false],
    ['Bearer realm="https://registry.example.com/token"', true],
  ])('with a list of realms %s passes: %s', (challenge, expected) =>
    expect(mayPass({ ...hub, realms: ['auth.inner:5001', '*.login.example'] })(challenge)).toBe(expected),
  );

  test('that is not trusted does not reach the client, and the log says what to do', async () => {
    const challenges = ['Bearer realm="http://evil.example/token"', 'Basic realm="x"'];
    const upstream = await scriptedUpstream(
      (_, response) => void response.writeHead(401, { 'www-authenticate': challenges }).end(),
    );
    const through = await gatewayFor(upstream.url, {});
    const listed = await gatewayFor(upstream.url, { realms: ['evil.example'] });
    const answers = await Promise.all(
      ['/v2/', '/v2/a/manifests/v1', '/v2/a/tags/list', `/v2/a/blobs/sha256:${'ab'.repeat(32)}`].map((path) =>
        ask(through.url, path, { headers: { authorization: 'Bearer x' } }),
      ),
    );
    const passed = await ask(listed.url, '/v2/');
    await through.stop();
    await listed.stop();
    await upstream.stop();
    for (const { status, headers } of answers) {
      expect([status, headers['www-authenticate']]).toEqual([401, 'Basic realm="x"']);
    }
    expect(passed.headers['www-authenticate']).toBe(challenges.join(', '));
    expect(through.logged()).toMatch(/not among the realms of the upstream/);
    expect(listed.logged()).not.toMatch(/not among the realms/);
  });
});

describe('what a cache in between may keep (S14)', () => {
  const answers = async (cacheControl: string | undefined, headers: Record<string, string> = {}) => {
    const upstream = await scriptedUpstream((_, response) => {
      response.writeHead(200, {
        'content-type': 'application/vnd.oci.image.manifest.v1+json',
        vary: 'Origin',
        ...(cacheControl === undefined ? {} : { 'cache-control': cacheControl }),
      });
      response.end('{}');
    });
    const through = await gatewayFor(upstream.url, {});
    const answer = await ask(through.url, '/v2/a/manifests/v1', { headers });
    await through.stop();
    await upstream.stop();
    return answer.headers;
  };

  test.each([
    [undefined, 'private'],
    ['public, max-age=31536000', 'private'],
    ['s-maxage=10', 'private'],
    ['private="x-field"', 'private'],
    ['no-store', 'no-store'],
    ['max-age=1, Private', 'max-age=1, Private'],
  ])('an answer to credentials with %s is sent with %s', async (said, expected) => {
    expect((await answers(said, { authorization: 'Bearer x' }))['cache-control']).toBe(expected);
  });

  test('an answer without credentials says what the upstream says, and on what it depends', async () => {
    const headers = await answers('public, max-age=60');
    expect(headers).toMatchObject({ 'cache-control': 'public, max-age=60', vary: 'Origin, Accept, Authorization' });
  });
});
