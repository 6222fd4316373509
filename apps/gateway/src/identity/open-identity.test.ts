import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, until } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { ask, scriptedUpstream, startTestGateway } from '../gateway.test-support';
import { createMetrics } from '../metrics';
import { parseRules } from '../rules/rules-file';
import { identitySection } from './identity-file';
import { startEndpoint } from './issuer.test-support';
import { openIdentities, type Identities } from './open-identity';

const TOKEN = 'Bearer token';

let endpoint: Awaited<ReturnType<typeof startEndpoint>>;
let identities: Identities;

beforeEach(async () => {
  endpoint = await startEndpoint(() => ({ body: { user: { email: 'ann@org1.example' } } }));
  identities = openIdentities({
    metrics: createMetrics([new Registry()], () => ({ answers: 0, visits: 0, checks: 0, downloads: 0 })),
    log: pino({ level: 'silent' }),
  });
});
afterEach(async () => {
  await identities.close();
  await endpoint.stop();
});

const introspection = (path: string) => ({ protocol: 'user-info', url: `${endpoint.url}${path}` });
/** As it comes from a file: parsed anew each time. */
const under = (section: object) => identities.under(identitySection.parse(section));

test('the same rules keep the identity, and what it remembers', async () => {
  const before = under({ introspection: introspection('/a') });
  expect(await before.organizationOf(TOKEN)).toBe('org1.example');
  const after = under({ introspection: introspection('/a') });
  expect(after).toBe(before);
  expect(await after.organizationOf(TOKEN)).toBe('org1.example');
  expect(endpoint.asked).toHaveLength(1);
});

test('other rules make a new one that remembers nothing, and the old one still answers under its own', async () => {
  const before = under({ introspection: introspection('/a') });
  const after = under({ introspection: introspection('/b'), aliases: { 'org1.example': 'acme' } });
  expect(await after.organizationOf(TOKEN)).toBe('acme');
  expect(await before.organizationOf(TOKEN)).toBe('org1.example');
  expect(endpoint.asked.map(({ url }) => url)).toEqual(['/b', '/a']);
});

test('closing gives up what old and new are asking', async () => {
  const silent = await startEndpoint(() => undefined);
  const [before, after] = ['/a', '/b'].map((path) => under({ introspection: { protocol: 'user-info', url: `${silent.url}${path}` }, timeoutMs: 5_000 })); // prettier-ignore
  const asked = [before, after].map((identity) => identity?.organizationOf(TOKEN));
  await until(() => silent.asked.length === 2);
  await identities.close();
  expect(await Promise.all(asked)).toEqual([undefined, undefined]);
  await silent.stop();
});

test('rules that need a secret that is not there are refused, and change nothing', () => {
  const before = under({ introspection: introspection('/a') });
  const needing = { introspection: { ...introspection('/a'), protocol: 'rfc7662', clientId: 'weir' } };
  expect(() => under(needing)).toThrow(/INTROSPECTION_CLIENT_SECRET: is missing/);
  expect(under({ introspection: introspection('/a') })).toBe(before);
});

test('so is a file with such rules on SIGHUP: rules, upstreams and identity stay as they were', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory.path, 'rules.json');
  const [old, next] = await Promise.all(
    ['old', 'new'].map((said) => scriptedUpstream((_, response) => void response.end(said))),
  );
  const content = (url: string | undefined, identity: object) => ({
    upstreams: { hub: { url } },
    rules: [{ upstream: 'hub', mode: 'proxy' }],
    identity,
  });
  const read = parseRules(content(old?.url, {}));
  if (!read.ok) throw new Error(read.problems.join());
  const gateway = await startTestGateway({ rules: read.rules }, { RULES_FILE: await written(file, content(old?.url, {})) });
  const needing = { introspection: { ...introspection('/a'), protocol: 'rfc7662', clientId: 'weir' } };
  await written(file, content(next?.url, needing));
  gateway.reload();
  const said = (await ask(gateway.url, '/v2/')).body.toString();
  const refused = await gateway.metric('weir_gateway_rules_reloads_total', { outcome: 'refused' });
  await written(file, content(next?.url, {}));
  gateway.reload();
  const then = (await ask(gateway.url, '/v2/')).body.toString();
  const logged = gateway.logged();
  await gateway.stop();
  await Promise.all([old?.stop(), next?.stop(), directory.remove()]);
  expect([said, refused, then]).toEqual(['old', 1, 'new']);
  expect(logged).toContain('INTROSPECTION_CLIENT_SECRET: is missing');
}); // prettier-ignore

async function written(file: string, content: object): Promise<string> {
  await writeFile(file, JSON.stringify(content));
  return file;
}
