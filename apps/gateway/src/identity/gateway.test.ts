import { join } from 'node:path';
import { startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import { ask, scriptedUpstream, skopeo, startTestGateway, type TestGateway } from '../gateway.test-support';
import { pushImage, type PushedImage } from '../images.test-support';
import { parseRules } from '../rules/rules-file';
import { startEndpoint, startIssuer, type TestIssuer } from './issuer.test-support';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const MANIFEST = '/v2/team/app/manifests/v1';

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
let image: PushedImage;
let issuer: TestIssuer;

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  image = await pushImage(registry.url, 'team/app', { tag: 'v1' });
  issuer = await startIssuer();
});
afterAll(async () => {
  await issuer.stop();
  await registry.stop();
  await directory.remove();
});

async function gatewayWith(
  identity: object,
  environment: Record<string, string> = {},
  url = registry.url,
): Promise<TestGateway> {
  const read = parseRules({ upstreams: { hub: { url } }, rules: [{ upstream: 'hub' }], identity });
  if (!read.ok) throw new Error(read.problems.join());
  return startTestGateway({ rules: read.rules }, environment);
}
const jwt = () => ({ jwt: [{ issuer: issuer.url, jwksUrl: issuer.jwksUrl, audience: 'registry' }] });
const usersOf = async (gateway: TestGateway) => (await gateway.events()).map(({ data }) => data['user']);

test('a pull with a bearer token counts for the organization of its user', async () => {
  const gateway = await gatewayWith({ ...jwt(), aliases: { 'org1.example': 'acme' } });
  const token = await issuer.token();
  const headers = { accept: IMAGE, authorization: `Bearer ${token}` };
  expect((await ask(gateway.url, MANIFEST, { headers })).status).toBe(200);
  expect(await usersOf(gateway)).toEqual([{ organization: 'acme' }]);
  expect(await gateway.metric('weir_gateway_identity_questions_total', { way: 'jwt', outcome: 'organization' })).toBe(
    1,
  );
  const written = JSON.stringify(await gateway.events()) + gateway.logged();
  await gateway.stop();
  for (const part of [...token.split('.'), 'ann@']) expect(written).not.toContain(part);
});

test('skopeo with a token as password, which an authorization server knows, counts for its organization', async () => {
  const login = `Basic ${Buffer.from('bob:the-token').toString('base64')}`;
  const upstream = await scriptedUpstream(({ headers, url }, response) => {
    if (headers.authorization !== login)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="team"' }).end();
    response.writeHead(200, { 'content-type': IMAGE }).end(url === '/v2/' ? '{}' : image.body);
  });
  const endpoint = await startEndpoint(({ body }) => ({
    body: body.startsWith('token=the-token&') ? { active: true, email: 'bob@org2.example' } : { active: false },
  }));
  const introspection = { protocol: 'rfc7662', url: endpoint.url, clientId: 'weir', passwords: true };
  const gateway = await gatewayWith({ introspection }, { INTROSPECTION_CLIENT_SECRET: 'hush' }, upstream.url);
  const from = `docker://${gateway.host}/team/app:v1`;
  await skopeo('inspect', '--tls-verify=false', '--raw', '--creds', 'bob:the-token', from);
  const events = await gateway.events();
  const written = JSON.stringify(events) + gateway.logged();
  await gateway.stop();
  await endpoint.stop();
  await upstream.stop();
  expect(events.map(({ type, data }) => [type, data['user']])).toEqual([
    ['io.weir.pull', { organization: 'org2.example' }],
  ]);
  expect(written).not.toMatch(/the-token|hush|bob/);
});

test('nothing that a client merely says names an organization', async () => {
  const gateway = await gatewayWith(jwt());
  const forged = `${(await issuer.token()).split('.').slice(0, 2).join('.')}.AAAA`;
  const said = {
    'x-weir-organization': 'victim.example',
    'x-forwarded-user': 'ann@victim.example',
    'x-forwarded-email': 'ann@victim.example',
    'x-auth-request-email': 'ann@victim.example',
    'remote-user': 'ann@victim.example',
    'ce-user': '{"organization":"victim.example"}',
    from: 'ann@victim.example',
    cookie: 'organization=victim.example',
    baggage: 'organization=victim.example',
  };
  for (const authorization of [
    undefined,
    `Bearer ${forged}`,
    `Basic ${Buffer.from('ann@victim.example:x').toString('base64')}`,
    'Bearer ann@victim.example',
  ]) {
    const headers = { accept: IMAGE, ...said, ...(authorization === undefined ? {} : { authorization }) };
    const path = `${MANIFEST}?organization=victim.example&user=ann@victim.example`;
    await ask(gateway.url, path, { headers });
  }
  const events = await gateway.events();
  await gateway.stop();
  expect(events.map(({ type, data }) => [type, data['user']])).toEqual(Array(4).fill(['io.weir.pull', undefined]));
  expect(JSON.stringify(events)).not.toContain('victim');
});

test('an identity endpoint that never answers holds no pull up, which counts as anonymous', async () => {
  const endpoint = await startEndpoint(() => undefined);
  const introspection = { protocol: 'user-info', url: endpoint.url };
  const gateway = await gatewayWith({ introspection, timeoutMs: 5_000 });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      ask(gateway.url, MANIFEST, { headers: { accept: IMAGE, authorization: `Bearer token-${n}` } }),
    ),
  );
  const counted = (outcome: string) => gateway.metric('weir_gateway_identity_questions_total', { outcome });
  const givenUp = await counted('failed');
  await endpoint.stop();
  const events = await gateway.events();
  const [failed, skipped] = [await counted('failed'), await counted('skipped')];
  const logged = gateway.logged();
  await gateway.stop();
  // Everybody had an answer while not one question had one or was given up.
  expect([givenUp, failed + skipped]).toEqual([0, 30]);
  expect(failed).toBeGreaterThan(0);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(events.map(({ type, data }) => [type, data['user']])).toEqual(Array(30).fill(['io.weir.pull', undefined]));
  expect(logged).not.toContain('token-');
});

test('a secret that the rules need and nobody gave is named', async () => {
  const introspection = { protocol: 'rfc7662', url: 'https://id.example/introspect', clientId: 'weir' };
  await expect(gatewayWith({ introspection })).rejects.toThrow(/INTROSPECTION_CLIENT_SECRET: is missing/);
});
