import { createHash } from 'node:crypto';
import { UnsecuredJWT } from 'jose';
import { testIdentity } from './identity.test-support';
import { inSeconds, startEndpoint, startIssuer } from './issuer.test-support';

const sha256 = (secret: string | Buffer): string => createHash('sha256').update(secret).digest('hex');
const basic = (secret: string | Buffer): string => `Basic ${Buffer.from(secret).toString('base64')}`;

describe('credentials that are listed', () => {
  const latin = Buffer.from('ren\u00e9:caf\u00e9', 'latin1');
  const identity = testIdentity({
    organizations: {
      [sha256('the-key')]: 'acme',
      [sha256('ren\u00e9:caf\u00e9')]: 'utf8.example',
      [sha256(latin)]: 'latin1.example',
      [sha256('old:key')]: 'old.example',
    },
    aliases: { 'old.example': 'new.example' },
  });
  afterAll(() => identity.close());

  test.each([
    ['Bearer the-key', 'acme'],
    ['bearer   the-key', 'acme'],
    [basic('the-key'), undefined],
    [basic('ren\u00e9:caf\u00e9'), 'utf8.example'],
    [basic(latin), 'latin1.example'],
    [basic('old:key'), 'new.example'],
    ['Bearer another-key', undefined],
    ['the-key', undefined],
    [`Bearer ${sha256('the-key')}`, undefined],
    ['Basic %%%', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s: %s', async (authorization, organization) => {
    expect(await identity.organizationOf(authorization)).toBe(organization);
  });
});

describe('what is remembered', () => {
  const user = { body: { user: { email: 'ann@org1.example' } } };

  test('an organization for five minutes, in one question for all who ask at once', async () => {
    const endpoint = await startEndpoint(() => user);
    const identity = testIdentity({ introspection: { protocol: 'user-info', url: endpoint.url } });
    const ask = () => identity.organizationOf('Bearer token');
    expect(new Set(await Promise.all(Array.from({ length: 50 }, ask)))).toEqual(new Set(['org1.example']));
    identity.pass(299_000);
    expect(await ask()).toBe('org1.example');
    expect(endpoint.asked).toHaveLength(1);
    identity.pass(1_000);
    expect(await ask()).toBe('org1.example');
    expect(endpoint.asked).toHaveLength(2);
    expect(await identity.counted()).toEqual({ 'introspection organization': 2, 'memory organization': 50 });
    await identity.close();
    await endpoint.stop();
  });

  test.each([
    ['that a user has no organization', { body: { user: { email: 'ann@gmail.com' } } }, 60_000],
    ['that a token is refused', { status: 401 }, 30_000],
    ['that there was no answer', { status: 503 }, 2_000],
  ])('%s, for its time', async (_, answer, ms) => {
    const endpoint = await startEndpoint(() => answer);
    const identity = testIdentity({ introspection: { protocol: 'user-info', url: endpoint.url }, ttlSeconds: 60 });
    const ask = () => identity.organizationOf('Bearer token');
    await ask();
    identity.pass(ms - 1);
    await ask();
    expect(endpoint.asked).toHaveLength(1);
    identity.pass(1);
    await ask();
    expect(endpoint.asked).toHaveLength(2);
    await identity.close();
    await endpoint.stop();
  });

  test('a token for no longer than it is good', async () => {
    const issuer = await startIssuer();
    const identity = testIdentity({ jwt: [{ issuer: issuer.url, jwksUrl: issuer.jwksUrl, audience: 'registry' }] });
    const long = `Bearer ${await issuer.token({ exp: inSeconds(3600) })}`;
    const short = `Bearer ${await issuer.token({ exp: inSeconds(100) })}`;
    const over = `Bearer ${await issuer.token({ exp: inSeconds(-5) })}`;
    for (const wait of [0, 101_000]) {
      identity.pass(wait);
      for (const token of [long, short, over]) expect(await identity.organizationOf(token)).toBe('org1.example');
    }
    // A token that is over by less than the clocks may differ is good, and not remembered.
    expect(await identity.counted()).toEqual({ 'jwt organization': 5, 'memory organization': 1 });
    await identity.close();
    await issuer.stop();
  });

  test('a member, whatever others make up', async () => {
    const endpoint = await startEndpoint(() => user);
    const identity = testIdentity({
      jwt: [{ issuer: 'known', jwksUrl: `${endpoint.url}/jwks`, audience: 'registry' }],
      introspection: { protocol: 'user-info', url: endpoint.url },
    });
    expect(await identity.organizationOf('Bearer member')).toBe('org1.example');
    for (let n = 0; n <= 10_000; n++)
      await identity.organizationOf(`Bearer ${new UnsecuredJWT({ iss: 'known', jti: String(n) }).encode()}`);
    expect(await identity.organizationOf('Bearer member')).toBe('org1.example');
    expect(endpoint.asked).toHaveLength(1);
    expect(await identity.counted()).toMatchObject({ 'jwt refused': 10_001, 'memory organization': 1 });
    await identity.close();
    await endpoint.stop();
  });

  test('bearer and password apart: one says nothing of the other', async () => {
    const endpoint = await startEndpoint(() => user);
    const identity = testIdentity({ introspection: { protocol: 'user-info', url: endpoint.url } });
    expect(await identity.organizationOf('Bearer ann:token')).toBeUndefined();
    expect(await identity.organizationOf('Bearer token')).toBe('org1.example');
    expect(await identity.organizationOf(basic('ann:token'))).toBeUndefined();
    expect(await identity.organizationOf(basic('token'))).toBeUndefined();
    await identity.close();
    await endpoint.stop();
  });
});

describe('the ways of verifying', () => {
  test('are tried in their order; a token of a known issuer is not shown to anybody else', async () => {
    const issuer = await startIssuer();
    const endpoint = await startEndpoint(() => ({ body: { user: { email: 'ann@asked.example' } } }));
    const identity = testIdentity({
      organizations: { [sha256('listed')]: 'listed.example' },
      jwt: [{ issuer: issuer.url, jwksUrl: issuer.jwksUrl, audience: 'registry' }],
      introspection: { protocol: 'user-info', url: endpoint.url },
    });
    const token = await issuer.token();
    const found = [];
    for (const shown of [
      'listed',
      token,
      await issuer.token({ aud: 'shop' }),
      'opaque',
      await issuer.token({ iss: 'https://other.example' }),
    ])
      found.push(await identity.organizationOf(`Bearer ${shown}`));
    expect(found).toEqual(['listed.example', 'org1.example', undefined, 'asked.example', 'asked.example']);
    expect(endpoint.asked).toHaveLength(2);
    await identity.close();
    await issuer.stop();
    await endpoint.stop();
  });

  test('aliases and free mail hold for all of them', async () => {
    const endpoint = await startEndpoint(({ headers }) => ({
      body: { user: { email: `ann@${headers.authorization?.slice('Bearer '.length)}` } },
    }));
    const identity = testIdentity({
      introspection: { protocol: 'user-info', url: endpoint.url },
      aliases: { 'old.example': 'acme', 'xn--bcher-kva.example': 'books.example' },
      freeMail: { add: ['club.example'], remove: ['hey.com'] },
    });
    const of = (domain: string) => identity.organizationOf(`Bearer ${domain}`);
    expect(await Promise.all(['OLD.example', 'club.example', 'a.club.example', 'hey.com', 'gmx.de'].map(of))).toEqual([
      'acme', undefined, 'a.club.example', 'hey.com', undefined,
    ]); // prettier-ignore
    await identity.close();
    await endpoint.stop();
  });

  test('write nothing of what they were shown and told into the log', async () => {
    const issuer = await startIssuer();
    const endpoint = await startEndpoint(({ headers }) => ({
      status: headers.authorization?.includes('broken') ? 500 : 200,
      body: headers.authorization?.includes('nonsense')
        ? 'nonsense of ann@org1.example'
        : { user: { email: 'ann@org1.example' } },
    }));
    const identity = testIdentity({
      jwt: [{ issuer: issuer.url, jwksUrl: `${endpoint.url}/keys?secret-of-the-url`, audience: 'registry' }],
      introspection: { protocol: 'user-info', url: `${endpoint.url}/user-info?secret-of-the-url` },
    });
    const token = await issuer.token();
    for (const shown of [token, 'token-good', 'token-nonsense', 'token-broken', 'token-broken-2', 'token-broken-3'])
      await identity.organizationOf(`Bearer ${shown}`);
    const logged = identity.logged();
    expect(logged).toContain('could not be fetched');
    expect(logged).toContain('does not answer');
    expect(logged).not.toMatch(/token-|org1|nonsense of|secret-of-the-url/);
    for (const part of token.split('.')) expect(logged).not.toContain(part);
    await identity.close();
    await issuer.stop();
    await endpoint.stop();
  });

  test('without TLS are warned of, except on the own machine', async () => {
    const jwt = (jwksUrl: string) => [{ issuer: 'x', jwksUrl, audience: 'registry' }];
    const open = testIdentity({ jwt: jwt('http://keys.example/jwks?x=y') });
    const closed = testIdentity({
      jwt: jwt('https://keys.example/jwks'),
      introspection: { protocol: 'user-info', url: 'http://127.0.0.1:1/' },
    });
    expect(open.logged()).toContain('"url":"http://keys.example/jwks"');
    expect(closed.logged()).toBe('');
    await open.close();
    await closed.close();
  });
});
