import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { scriptedUpstream } from '../gateway.test-support';
import { testIdentity, type TestIdentity } from './identity.test-support';
import { inSeconds, startEndpoint, startIssuer, type TestIssuer } from './issuer.test-support';

let issuer: TestIssuer;
let identity: TestIdentity;

const rules = (more: object = {}) => ({
  jwt: [{ issuer: issuer.url, jwksUrl: issuer.jwksUrl, audience: 'registry', ...more }],
});
const organizationOf = (token: string, of: TestIdentity = identity) => of.organizationOf(`Bearer ${token}`);

beforeEach(async () => {
  issuer = await startIssuer();
  identity = testIdentity(rules());
});
afterEach(async () => {
  await identity.close();
  await issuer.stop();
});

describe('a good token', () => {
  test('has the organization of its e-mail address, as bearer token or as password', async () => {
    const token = await issuer.token({ email: 'Ann@ORG1.example.' });
    const basic = Buffer.from(`oauth2:${token}`).toString('base64');
    expect(await organizationOf(token)).toBe('org1.example');
    expect(await identity.organizationOf(`bearer  ${token}`)).toBe('org1.example');
    expect(await identity.organizationOf(`Basic ${basic}`)).toBe('org1.example');
    expect(issuer.fetched()).toBe(1);
  });

  test.each(['RS256', 'PS384', 'ES384', 'EdDSA'])('may be signed with %s', async (alg) => {
    const other = await startIssuer(alg);
    const its = testIdentity({ jwt: [{ issuer: other.url, jwksUrl: other.jwksUrl, audience: ['x', 'registry'] }] });
    expect(await organizationOf(await other.token(), its)).toBe('org1.example');
    await its.close();
    await other.stop();
  });

  test.each([
    [{ claim: 'https://org1.example/org' }, { 'https://org1.example/org': ' ACME ' }, 'acme'],
    [{ claim: 'org' }, { org: 7 }, undefined],
    [{ claim: 'org' }, { org: ' ' }, undefined],
    [{ claim: 'org' }, { org: 'x'.repeat(254) }, undefined],
    [{ claim: 'org' }, {}, undefined],
    [{ claim: 'toString' }, {}, undefined],
    [{ emailClaim: 'upn' }, { upn: 'bob@org2.example' }, 'org2.example'],
    [{}, { email: null }, undefined],
    [{}, { email: ['ann@org1.example'] }, undefined],
    [{}, { email_verified: true }, 'org1.example'],
    [{}, { email_verified: false }, undefined],
    [{}, { email_verified: 'false' }, undefined],
    [{}, { email: 'ann@gmail.com' }, undefined],
    [{}, { email: '"x@y"@evil.example' }, undefined],
  ])('by the rules %j and the claims %j: %s', async (more, claims, expected) => {
    const its = testIdentity(rules(more));
    expect(await organizationOf(await issuer.token(claims), its)).toBe(expected);
    expect(await its.counted()).toEqual({ [`jwt ${expected === undefined ? 'nobody' : 'organization'}`]: 1 });
    await its.close();
  });

  test('of one of several issuers is verified with the keys of that one', async () => {
    const other = await startIssuer();
    const both = testIdentity({
      jwt: [...rules().jwt, { issuer: other.url, jwksUrl: other.jwksUrl, audience: 'registry', claim: 'org' }],
    });
    expect(await organizationOf(await issuer.token(), both)).toBe('org1.example');
    expect(await organizationOf(await other.token({ org: 'acme' }), both)).toBe('acme');
    expect(await organizationOf(await other.token({ iss: issuer.url }), both)).toBeUndefined();
    await both.close();
    await other.stop();
  });
});

describe('a bad token names nobody', () => {
  test.each<[string, () => Promise<string>]>([
    ['without a signature', async () => new UnsecuredJWT({ iss: issuer.url, aud: 'registry', exp: inSeconds(60), email: 'a@b.example' }).encode()],
    ['signed with HMAC and the public key', async () => {
      const secret = Buffer.from(await exportSPKI(issuer.publicKey));
      return new SignJWT({ iss: issuer.url, aud: 'registry', exp: inSeconds(60), email: 'a@b.example' })
        .setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret);
    }],
    ['signed by somebody else', async () => {
      const { privateKey } = await generateKeyPair('ES256');
      return new SignJWT({ iss: issuer.url, aud: 'registry', exp: inSeconds(60), email: 'a@b.example' })
        .setProtectedHeader({ alg: 'ES256', kid: 'first' }).sign(privateKey);
    }],
    ['for another audience', () => issuer.token({ aud: 'shop' })],
    ['for no audience', () => issuer.token({ aud: undefined })],
    ['of another issuer', () => issuer.token({ iss: 'https://other.example' })],
    ['of no issuer', () => issuer.token({ iss: undefined })],
    ['that is expired', () => issuer.token({ exp: inSeconds(-60) })],
    ['that never expires', () => issuer.token({ exp: undefined })],
    ['that is not valid yet', () => issuer.token({ nbf: inSeconds(600) })],
    ['with a changed claim', async () => {
      const [header, , signature] = (await issuer.token()).split('.');
      const claims = { iss: issuer.url, aud: 'registry', exp: inSeconds(60), email: 'a@victim.example' };
      return `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
    }],
    ['that is too long', () => issuer.token({ padding: 'x'.repeat(8 * 1024) })],
    ['that is none', async () => 'a.b.c'],
  ])('%s', async (_, make) => {
    expect(await organizationOf(await make())).toBeUndefined();
    expect(await organizationOf(await issuer.token())).toBe('org1.example');
  }); // prettier-ignore

  test('with keys of its own choice, whose address is never asked', async () => {
    const attacker = await startIssuer();
    const forged = await attacker.token({ iss: issuer.url }, { jku: attacker.jwksUrl });
    expect(await organizationOf(forged)).toBeUndefined();
    expect(attacker.fetched()).toBe(0);
    await attacker.stop();
  });
});

describe('the keys of an issuer', () => {
  test('are fetched once for many tokens at the same time', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => issuer.token({ jti: String(n) })));
    expect(new Set(await Promise.all(tokens.map((token) => organizationOf(token))))).toEqual(new Set(['org1.example']));
    expect(issuer.fetched()).toBe(1);
  });

  test('are fetched again for a new one, and not for every name that somebody makes up', async () => {
    expect(await organizationOf(await issuer.token())).toBe('org1.example');
    identity.pass(10_000);
    await issuer.rotate('second');
    expect(await organizationOf(await issuer.token())).toBe('org1.example');
    for (let n = 0; n < 50; n++)
      expect(await organizationOf(await issuer.token({}, { kid: `made-up-${n}` }))).toBeUndefined();
    expect(issuer.fetched()).toBe(2);
  });

  test('are asked for again after ten minutes, and kept for an hour when nobody answers', async () => {
    const token = (n: number) => issuer.token({ jti: String(n) });
    expect(await organizationOf(await token(0))).toBe('org1.example');
    identity.pass(10 * 60_000 + 1);
    expect(await organizationOf(await token(1))).toBe('org1.example');
    expect(issuer.fetched()).toBe(2);
    await issuer.stop();
    identity.pass(59 * 60_000);
    expect(await organizationOf(await token(2))).toBe('org1.example');
    identity.pass(2 * 60_000);
    expect(await organizationOf(await token(3))).toBeUndefined();
    expect(await identity.counted()).toEqual({ 'jwt organization': 3, 'jwt failed': 1 });
    expect(identity.logged()).toContain('the keys of an issuer could not be fetched');
  });

  test('are not looked for where the issuer redirects to', async () => {
    const moved = await startEndpoint(() => ({ status: 302, headers: { location: issuer.jwksUrl } }));
    const its = testIdentity(rules({ jwksUrl: `${moved.url}/jwks` }));
    expect(await organizationOf(await issuer.token(), its)).toBeUndefined();
    expect([moved.asked.length, issuer.fetched()]).toEqual([1, 0]);
    expect(its.logged()).toContain('"status":302');
    await its.close();
    await moved.stop();
  });

  const KEYS = '{"keys":[';
  test.each<[string, Parameters<typeof scriptedUpstream>[0]]>([
    ['never come', () => {}],
    ['begin and never end', (_, response) => void response.writeHead(200).write(KEYS)],
    ['never stop coming', (_, response) => {
      const more = () => { while (response.write(' '.repeat(64 * 1024))); };
      response.writeHead(200).on('drain', more);
      more();
    }],
    ['are too many', (_, response) => void response.end(`${KEYS}${'{},'.repeat(100_000)}{}]}`)],
    ['are nested for ever', (_, response) => void response.end(`${KEYS}{"kid":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`)],
    ['are no JSON', (_, response) => void response.end('<html>')],
    ['are no keys', (_, response) => void response.end('{"keys":7}')],
    ['are secret ones', (_, response) => void response.end('{"keys":[{"kty":"oct","k":"AAAA","kid":"first"}]}')],
    ['end in the middle', (_, response) => void response.writeHead(200, { 'content-length': '100' }).write(KEYS, () => response.destroy())],
    ['are an error', (_, response) => void response.writeHead(500).end('x'.repeat(1_000_000))],
  ])('that %s hold nothing up', async (_, answer) => {
    const server = await scriptedUpstream(answer);
    const its = testIdentity({ ...rules({ jwksUrl: server.url }), timeoutMs: 200 });
    expect(await organizationOf(await issuer.token(), its)).toBeUndefined();
    expect(await organizationOf(await issuer.token({ jti: 'another' }), its)).toBeUndefined();
    const { 'jwt failed': failed = 0, 'jwt refused': refused = 0 } = await its.counted();
    expect(failed + refused).toBe(2);
    await its.close();
    await server.stop();
  }); // prettier-ignore

  test('are not asked for token by token where nobody listens', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const its = testIdentity(rules({ jwksUrl: `http://127.0.0.1:${port}/jwks` }));
    for (let n = 0; n < 5; n++)
      expect(await organizationOf(await issuer.token({ jti: String(n) }), its)).toBeUndefined();
    expect(its.logged().match(/could not be fetched/g)).toHaveLength(1);
    expect(its.logged()).toContain('ECONNREFUSED');
    await its.close();
  });
});
