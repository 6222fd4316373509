import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { organizationOfEmail } from '@weir/events';
import { parseRules } from '../rules/rules-file';

const read = (more: object) =>
  parseRules({ upstreams: { hub: { url: 'http://127.0.0.1:5000' } }, rules: [{ upstream: 'hub' }], ...more });
const problems = (more: object): string[] => {
  const result = read(more);
  return result.ok ? [] : result.problems;
};
const page = readFile(join(__dirname, '../../../../docs/identity.md'), 'utf8');

describe('the identity of a rules file', () => {
  test('has all its mistakes reported together, each with its place', () => {
    const jwks = 'https://id.example/jwks';
    const found = problems({
      identity: {
        jwt: [
          { issuer: 'a', jwksUrl: 'file:///etc/passwd', audience: 'x' },
          { issuer: 'a', jwksUrl: 'https://user:pw@id.example/', audience: [], claim: 'org', emailClaim: 'email' },
          { issuer: '', jwksUrl: jwks, algorithms: ['none'] },
        ],
        introspection: { protocol: 'oauth', url: jwks },
        freeMail: { add: ['Gmail.com', 'localhost'], remove: 'gmail.com' },
        ttlSeconds: 0,
        timeoutMs: 60_000,
        header: 'x-organization',
      },
    }).join('\n');
    for (const place of [
      'identity.jwt[0].jwksUrl: must be an https:// or http:// URL', 'identity.jwt[1].jwksUrl: must be an https:// or http:// URL',
      'identity.jwt[1].audience: must be a text, or a list of 1 to 20', 'identity.jwt[2].issuer: must be the iss', 'identity.jwt[2].audience: must be a text, or a list',
      'identity.jwt[2]: has no field algorithms', 'identity.introspection.protocol: must be user-info or rfc7662',
      'identity.freeMail.add[0]: must be an organization in the form in which it is counted: gmail.com',
      'identity.freeMail.add[1]: must be a domain such as example.com', 'identity.freeMail.remove: must be a list of domains', 'identity.ttlSeconds: must be a whole number, 1 to 86400',
      'identity.timeoutMs: must be a whole number, 50 to 5000', 'identity: has no field header',
    ]) expect(found).toContain(place); // prettier-ignore
  });

  test.each<[object, string]>([
    [{ jwt: [{ issuer: 'a', jwksUrl: 'https://i.example/', audience: 'x', claim: 'o', emailClaim: 'e' }] }, 'identity.jwt[0].claim: cannot stand beside emailClaim'],
    [{ jwt: [0, 1].map(() => ({ issuer: 'a', jwksUrl: 'https://i.example/', audience: 'x' })) }, 'identity.jwt[1].issuer: is there twice'],
    [{ jwt: [] }, 'identity.jwt: must be a list of 1 to 20 issuers'],
    [{ introspection: { protocol: 'rfc7662', url: 'https://i.example/' } }, 'identity.introspection.clientId: must be a text'],
    [{ introspection: { protocol: 'user-info', url: 'https://i.example/', clientId: 'x' } }, 'identity.introspection: has no field clientId'],
    [{ introspection: { protocol: 'user-info', url: 'https://i.example/', field: 'a..b' } }, 'identity.introspection.field: must be the name of a field'],
    [{ introspection: { protocol: 'user-info', url: 'https://i.example/', field: 'a', emailField: 'b' } }, 'identity.introspection.field: cannot stand beside emailField'],
    [{ aliases: { 'a.example': 'b.example', 'b.example': 'c.example' } }, 'identity.aliases.a.example: points to b.example, which is an alias itself'],
    [{ aliases: { 'a.example': 'b.example', 'b.example': 'a.example' } }, 'identity.aliases.b.example: points to a.example, which is an alias itself'],
    [{ aliases: { 'a.example': 'a.example' } }, 'identity.aliases.a.example: points to a.example, which is an alias itself'],
    [{ aliases: { 'B\u00fccher.example': 'x' } }, 'in the form in which it is counted: xn--bcher-kva.example'],
    [{ aliases: { 'a.example': '' } }, 'identity.aliases.a.example: must be an organization such as example.com'],
    [{ aliases: { 'a.example': 7 } }, 'identity.aliases.a.example: must be an organization such as example.com'],
  ])('%j: %s', (identity, message) => {
    expect(problems({ identity }).join('\n')).toContain(message);
  }); // prettier-ignore

  test('never repeats what should have been a hash: it may be the credential', () => {
    const wrong = { 'user:hunter2': 'example.com', ['a'.repeat(64)]: 'Example.com', hunter2: 7 };
    const found = [...problems({ identity: { organizations: wrong } }), ...problems({ organizations: wrong })].join(
      '\n',
    );
    expect(found).not.toContain('hunter2');
    for (const place of [
      'identity.organizations: entry 1 must be named by the SHA-256',
      'identity.organizations: entry 2 must be an organization in the form in which it is counted: example.com',
      'identity.organizations: entry 3 must be an organization such as example.com',
      '\norganizations: entry 1 must be named by the SHA-256',
    ]) expect(found).toContain(place); // prettier-ignore
  });

  test('can be left out, and listed credentials may stand where they stood before', () => {
    const [old, now] = ['a'.repeat(64), 'b'.repeat(64)];
    const result = read({
      organizations: { [old]: 'old.example' },
      identity: { organizations: { [now]: 'now.example' } },
    });
    expect(result).toMatchObject({
      ok: true,
      rules: {
        identity: { organizations: { [old]: 'old.example', [now]: 'now.example' }, ttlSeconds: 300, timeoutMs: 2000 },
      },
    });
    expect(read({})).toMatchObject({ ok: true, rules: { identity: { organizations: {}, aliases: {} } } });
  });
});

describe('docs/identity.md', () => {
  test('has examples that work as they stand', async () => {
    const examples = [...(await page).matchAll(/```json\n([^`]*)```/g)].map(
      ([, text]) => JSON.parse(text ?? '') as object,
    );
    expect(examples.map(problems)).toEqual(examples.map(() => []));
    const keys = examples.flatMap((example) => Object.keys((example as { identity?: object }).identity ?? {}));
    expect(keys).toEqual(
      expect.arrayContaining([
        'organizations',
        'jwt',
        'introspection',
        'aliases',
        'freeMail',
        'ttlSeconds',
        'timeoutMs',
      ]),
    );
  });

  test('says of addresses what is so', async () => {
    const rows = [...(await page).matchAll(/^\| `([^`]*@?[^`]*)` +\| (?:`([^`]+)`|nobody) +\| .* \|$/gm)];
    expect(rows.length).toBeGreaterThan(15);
    for (const [, email = '', organization] of rows)
      expect([email, organizationOfEmail(email)]).toEqual([email, organization]);
  });
});
