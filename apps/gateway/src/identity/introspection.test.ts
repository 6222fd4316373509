import { scriptedUpstream } from '../gateway.test-support';
import { testIdentity, type TestIdentity } from './identity.test-support';
import { inSeconds, startEndpoint } from './issuer.test-support';

type Endpoint = Awaited<ReturnType<typeof startEndpoint>>;
type Answer = Parameters<typeof startEndpoint>[0];

let endpoint: Endpoint | undefined;
let identity: TestIdentity | undefined;

/** An identity that asks an endpoint which says this. */
async function asking(answer: Answer, more: object = {}, others: object = {}): Promise<TestIdentity> {
  endpoint = await startEndpoint(answer);
  const introspection = { protocol: 'user-info', url: `${endpoint.url}/api/user-info`, ...more };
  return (identity = testIdentity({ introspection, ...others }, 'the secret'));
}
const asked = () => endpoint?.asked.length;

afterEach(async () => {
  await identity?.close();
  await endpoint?.stop();
});

describe('the user of a token, as the platform describes it', () => {
  test('is asked with the token as bearer token', async () => {
    const its = await asking(() => ({
      body: { user: { id: 7, userName: 'ann', email: 'Ann@Org1.example' }, needConsent: false },
    }));
    expect(await its.organizationOf('Bearer eyJ0aWQiOjF9.abc=')).toBe('org1.example');
    expect(endpoint?.asked).toMatchObject([
      { method: 'GET', url: '/api/user-info', headers: { authorization: 'Bearer eyJ0aWQiOjF9.abc=' }, body: '' },
    ]);
  });

  test.each<[string, object, { status?: number; body?: unknown }, string | undefined, string]>([
    ['no e-mail address', {}, { body: { user: {} } }, undefined, 'nobody'],
    ['nobody', {}, { body: {} }, undefined, 'nobody'],
    ['an address that is not verified', {}, { body: { user: { email: 'a@b.example', email_verified: false } } }, undefined, 'nobody'],
    ['free mail', {}, { body: { user: { email: 'a@gmail.com' } } }, undefined, 'nobody'],
    ['an address elsewhere', { emailField: 'email' }, { body: { email: 'a@b.example' } }, 'b.example', 'organization'],
    ['the organization itself', { field: 'user.organization' }, { body: { user: { organization: 'ACME' } } }, 'acme', 'organization'],
    ['400', {}, { status: 400 }, undefined, 'refused'],
    ['401', {}, { status: 401 }, undefined, 'refused'],
    ['403', {}, { status: 403, body: { user: { email: 'a@b.example' } } }, undefined, 'refused'],
    ['404', {}, { status: 404 }, undefined, 'failed'],
    ['429', {}, { status: 429 }, undefined, 'failed'],
    ['500', {}, { status: 500, body: { user: { email: 'a@b.example' } } }, undefined, 'failed'],
    ['null', {}, { body: 'null' }, undefined, 'failed'],
    ['no JSON', {}, { body: '<html>' }, undefined, 'failed'],
  ])('an answer that says %s', async (_, more, answer, organization, outcome) => {
    const its = await asking(() => answer, more);
    expect(await its.organizationOf('Bearer token')).toBe(organization);
    expect(await its.counted()).toEqual({ [`introspection ${outcome}`]: 1 });
  }); // prettier-ignore

  test('is not asked with a password, unless that is known to be a token', async () => {
    const basic = `Basic ${Buffer.from('ann:the-token').toString('base64')}`;
    const its = await asking(() => ({ body: { user: { email: 'a@b.example' } } }));
    expect(await its.organizationOf(basic)).toBeUndefined();
    expect(asked()).toBe(0);
    const tokens = testIdentity({ introspection: { protocol: 'user-info', url: endpoint?.url, passwords: true } });
    expect(await tokens.organizationOf(basic)).toBe('b.example');
    expect(endpoint?.asked[0]?.headers.authorization).toBe('Bearer the-token');
    await tokens.close();
  });

  test.each([
    'Bearer a b',
    'Bearer a\u00e9',
    'Bearer "x"',
    'Bearer =',
    'Bearer',
    'Digest abc',
    `Bearer ${'x'.repeat(9000)}`,
    '',
  ])('is not asked with %j, which is no token', async (authorization) => {
    const its = await asking(() => ({ body: { user: { email: 'a@b.example' } } }));
    const organization = await its.organizationOf(authorization);
    // What follows a token is no part of it.
    expect(organization).toBe(authorization === 'Bearer a b' ? 'b.example' : undefined);
    expect(endpoint?.asked.map(({ headers }) => headers.authorization)).toEqual(organization ? ['Bearer a'] : []);
  });

  test('is not looked for where the endpoint redirects to: the token goes nowhere else', async () => {
    const elsewhere = await startEndpoint(() => ({ body: { user: { email: 'a@evil.example' } } }));
    const its = await asking(() => ({ status: 307, headers: { location: `${elsewhere.url}/user-info` } }));
    expect(await its.organizationOf('Bearer token')).toBeUndefined();
    expect([asked(), elsewhere.asked.length]).toEqual([1, 0]);
    await elsewhere.stop();
  });
});

describe('a token that an authorization server is asked about (RFC 7662)', () => {
  const rfc7662 = { protocol: 'rfc7662', clientId: 'weir gateway:1' };

  test('travels in the body, with credentials of our own', async () => {
    const its = await asking(
      () => ({ body: { active: true, email: 'ann@org1.example', username: 'x@evil.example' } }),
      rfc7662,
    );
    expect(await its.organizationOf('Bearer a+b/c=')).toBe('org1.example');
    const client = Buffer.from('weir+gateway%3A1:the+secret').toString('base64');
    expect(endpoint?.asked).toMatchObject([
      {
        method: 'POST',
        headers: { authorization: `Basic ${client}`, 'content-type': 'application/x-www-form-urlencoded' },
        body: 'token=a%2Bb%2Fc%3D&token_type_hint=access_token',
      },
    ]);
  });

  test.each<[string, object, { status?: number; body?: unknown }, string | undefined, string]>([
    ['inactive', {}, { body: { active: false, email: 'a@b.example' } }, undefined, 'refused'],
    ['active in a word', {}, { body: { active: 'true', email: 'a@b.example' } }, undefined, 'failed'],
    ['active without an address', {}, { body: { active: true, username: 'a@b.example' } }, undefined, 'nobody'],
    ['active, by its username', { emailField: 'username' }, { body: { active: true, username: 'a@b.example' } }, 'b.example', 'organization'],
    ['active, by its subject', { emailField: 'sub' }, { body: { active: true, sub: 'a@b.example' } }, 'b.example', 'organization'],
    ['that we are not known', {}, { status: 401 }, undefined, 'failed'],
  ])('is %s', async (_, more, answer, organization, outcome) => {
    const its = await asking(() => answer, { ...rfc7662, ...more });
    expect(await its.organizationOf('Bearer token')).toBe(organization);
    expect(await its.counted()).toEqual({ [`introspection ${outcome}`]: 1 });
  }); // prettier-ignore

  test('is not remembered for longer than it is good', async () => {
    const its = await asking(() => ({ body: { active: true, email: 'a@b.example', exp: inSeconds(100) } }), rfc7662);
    expect(await its.organizationOf('Bearer token')).toBe('b.example');
    its.pass(90_000);
    expect(await its.organizationOf('Bearer token')).toBe('b.example');
    expect(asked()).toBe(1);
    its.pass(10_001);
    expect(await its.organizationOf('Bearer token')).toBe('b.example');
    expect(asked()).toBe(2);
  });
});

describe('an endpoint that does not answer', () => {
  test('is given up in time, and then left alone until it answers again', async () => {
    let silent = true;
    const its = await asking(
      () => (silent ? undefined : { body: { user: { email: 'a@b.example' } } }),
      {},
      { timeoutMs: 100 },
    );
    for (let n = 0; n < 10; n++) expect(await its.organizationOf(`Bearer ${n}`)).toBeUndefined();
    expect(asked()).toBe(3);
    expect(await its.counted()).toEqual({ 'introspection failed': 3, 'introspection skipped': 7 });

    its.pass(10_000);
    const probes = await Promise.all(['x', 'y', 'z'].map((token) => its.organizationOf(`Bearer ${token}`)));
    expect([probes, asked()]).toEqual([[undefined, undefined, undefined], 4]);

    silent = false;
    its.pass(10_000);
    expect(await its.organizationOf('Bearer 1')).toBe('b.example');
    expect(await its.organizationOf('Bearer 2')).toBe('b.example');
    expect(asked()).toBe(6);
    expect(its.logged().match(/does not answer: it is left alone/g)).toHaveLength(1);
    expect(its.logged().match(/answers again/g)).toHaveLength(1);
  });

  test('is not opened by tokens that it does not like', async () => {
    const its = await asking(({ headers }) =>
      headers.authorization === 'Bearer good' ? { body: { user: { email: 'a@b.example' } } } : { status: 401 },
    );
    for (let n = 0; n < 10; n++) await its.organizationOf(`Bearer ${n}`);
    expect(await its.organizationOf('Bearer good')).toBe('b.example');
  });

  test('takes no more than so many questions at once', async () => {
    const held: (() => void)[] = [];
    let reached = (): void => {};
    const full = new Promise<void>((resolve) => (reached = resolve));
    const server = await scriptedUpstream((_, response) => {
      held.push(() => response.end('{"user":{"email":"a@b.example"}}'));
      if (held.length === 16) reached();
    });
    const its = testIdentity({ introspection: { protocol: 'user-info', url: server.url }, timeoutMs: 5_000 });
    const questions = Array.from({ length: 40 }, (_, n) => its.organizationOf(`Bearer ${n}`));
    await full;
    expect(await its.organizationOf('Bearer one-more')).toBeUndefined();
    held.forEach((answer) => answer());
    const answers = await Promise.all(questions);
    expect(answers.filter((organization) => organization === 'b.example')).toHaveLength(16);
    expect(held).toHaveLength(16);
    await its.close();
    await server.stop();
  });

  test.each<[string, Parameters<typeof scriptedUpstream>[0]]>([
    ['begins and never ends', (_, response) => void response.writeHead(200).write('{"user":{"email":"a@b.example"')],
    ['says too much', (_, response) => void response.end(JSON.stringify({ user: { email: 'a@b.example' }, x: 'x'.repeat(300_000) }))],
    ['sends endless headers', ({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`)],
    ['speaks something else', ({ socket }) => void socket.end('SSH-2.0-x\r\n')],
    ['hangs up', ({ socket }) => void socket.destroy()],
    ['refuses without an end', (_, response) => void response.writeHead(503).write('x')],
  ])('or %s is nobody', async (_, answer) => {
    const server = await scriptedUpstream(answer);
    const its = testIdentity({ introspection: { protocol: 'user-info', url: server.url }, timeoutMs: 200 });
    expect(await its.organizationOf('Bearer token')).toBeUndefined();
    expect(await its.counted()).toEqual({ 'introspection failed': 1 });
    await its.close();
    await server.stop();
  }); // prettier-ignore

  test('is not waited for when the gateway stops', async () => {
    const its = await asking(() => undefined, {}, { timeoutMs: 5_000 });
    const question = its.organizationOf('Bearer token');
    await its.close();
    expect(await question).toBeUndefined();
  });
});
