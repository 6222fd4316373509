import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { callerOf, mayCountFor, maySpeakFor, parseKeys } from './keys';
import type { ApiKey } from './keys';

const SIGNATURE = (key: string) =>
  `Weir-HMAC-SHA256 key=${key},timestamp=1763884440,nonce=0123456789abcdef,signature=${'0'.repeat(64)}`;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function one(text: string): ApiKey {
  const { keys, mistakes } = parseKeys(text);
  expect(mistakes).toEqual([]);
  const [key] = keys;
  if (!key) throw new Error('no key');
  return key;
}

describe('INGEST_KEYS', () => {
  test('holds names, hashes, scopes and sources', () => {
    const { keys, mistakes } = parseKeys(`ci:${sha256('a')}:ingest:source=/ci/, billing:${sha256('b').toUpperCase()}`);
    expect(mistakes).toEqual([]);
    expect(keys.map(({ name, scopes, sources }) => ({ name, scopes, sources }))).toEqual([
      { name: 'ci', scopes: ['ingest'], sources: ['/ci/'] },
      { name: 'billing', scopes: [], sources: [] },
    ]);
  });

  test('holds limits, in any order, with their values percent-decoded', () => {
    const limits = 'rate=50:signed:until=2027-01-31:certificate=ci.example:organization=ACME:organization=a%3Ab';
    expect(one(`ci:${sha256('a')}:${limits}`)).toMatchObject({
      scopes: [], signed: true, lastDay: '2027-01-31', certificate: 'ci.example', eventsPerSecond: 50,
      organizations: ['acme', 'a:b'],
    }); // prettier-ignore
  });

  test.each([
    'until=soon', 'until=2027-02-30', 'rate=0', 'rate=-1', 'rate=1e3', 'rate=', 'certificate=*.example', 'certificate=a b',
    'organization=', 'organization=%20', 'unknown=1', 'constructor=1', '__proto__=1', 'Signed', '',
  ])('does not take %j', (part) => {
    expect(parseKeys(`ci:${sha256('a')}:${part}`).mistakes).toEqual([expect.stringMatching(/^entry 1 \(ci\): /)]);
  }); // prettier-ignore

  test('reports every mistake at once and repeats no hash, which might be the key itself', () => {
    const { mistakes } = parseKeys(
      `in valid:${sha256('a')},ok:hunter2,ok:${sha256('b')}:BAD SCOPE,x:${sha256('c')}:source=`,
    );
    expect(mistakes).toHaveLength(5);
    expect(mistakes.join('\n')).toMatch(/entry 1: the name must be/);
    expect(mistakes.join('\n')).toMatch(/entry 2 \(ok\): .*sha256sum/);
    expect(mistakes.join('\n')).toMatch(/entry 3 \(ok\): the name is there twice/);
    expect(mistakes.join('\n')).toMatch(/entry 3 \(ok\): a scope is/);
    expect(mistakes.join('\n')).toMatch(/entry 4 \(x\): source= needs a prefix/);
    expect(mistakes.join('\n')).not.toContain('hunter2');
  });

  test.each(['', ' , '])('without a key is a mistake: %j', (text) => {
    expect(parseKeys(text).mistakes).toEqual([expect.stringContaining('at least one key is needed')]);
  });
});

describe('the key of a request', () => {
  const { keys } = parseKeys(
    `a:${sha256('key-a')},b:${sha256('key-b')}:builds,c:${sha256('key-c')}:builds:ingest,s:${sha256('key-s')}:signed,` +
      `old:${sha256('key-old')}:until=2026-11-23,bound:${sha256('key-bound')}:certificate=ci.example`,
  );
  const credentials = (headers: IncomingHttpHeaders) => ({
    headers, now: new Date('2026-11-23T23:59:59Z'), hasCertificate: (name: string) => name === 'ci.example',
  }); // prettier-ignore

  test.each([
    ['a bearer token', { authorization: 'Bearer key-a' }, 'a'],
    ['a bearer token in any case of the scheme', { authorization: 'bearer  key-c' }, 'c'],
    ["seed 003's API-KEY", { 'api-key': 'key-a' }, 'a'],
  ])('is found in %s', (_what, headers, name) => {
    expect(callerOf(credentials(headers), keys)).toMatchObject({ key: { name } });
  });

  test.each([
    ['no header at all', {}, 'missing'],
    ['another scheme', { authorization: 'Basic a2V5LWE=' }, 'missing'],
    ['an empty token', { authorization: 'Bearer ' }, 'missing'],
    ['an unknown key', { authorization: 'Bearer key-x' }, 'unknown'],
    ['the hash instead of the key', { authorization: `Bearer ${sha256('key-a')}` }, 'unknown'],
    ['a key without the scope', { authorization: 'Bearer key-b' }, 'scope'],
    ['a key that must sign', { authorization: 'Bearer key-s' }, 'unsigned'],
    ['a signature of a key that does not sign', { authorization: SIGNATURE('a') }, 'unknown'],
    ['a signature of nobody', { authorization: SIGNATURE('nobody') }, 'unknown'],
    ['a signature without its parts', { authorization: 'Weir-HMAC-SHA256 key=s' }, 'signature'],
    ['a signature with a part twice', { authorization: `${SIGNATURE('s')},key=a` }, 'signature'],
    ['a broken Authorization beside a good API-KEY', { authorization: 'Bearer x', 'api-key': 'key-a' }, 'unknown'],
  ])('is refused for %s', (_what, headers, refused) => {
    expect(callerOf(credentials(headers), keys)).toEqual({ refused });
  });

  test('is good up to the end of its last day, and not a moment longer', () => {
    const old = credentials({ authorization: 'Bearer key-old' });
    expect(callerOf(old, keys)).toMatchObject({ key: { name: 'old' } });
    expect(callerOf({ ...old, now: new Date('2026-11-24T00:00:00Z') }, keys)).toEqual({ refused: 'expired' });
  });

  test('that is bound to a certificate is good with that certificate only', () => {
    const bound = credentials({ authorization: 'Bearer key-bound' });
    expect(callerOf(bound, keys)).toMatchObject({ key: { name: 'bound' } });
    expect(callerOf({ ...bound, hasCertificate: () => false }, keys)).toEqual({ refused: 'certificate' });
  });
});

describe('the sources of a key', () => {
  const limited = one(`ci:${sha256('a')}:source=/ci/:source=https%3A//ci.example/`);

  test.each(['/ci/nightly', 'https://ci.example/jobs/1', '/ingest/ci'])('include %s', (source) => {
    expect(maySpeakFor(limited, source)).toBe(true);
  });

  test.each(['/billing', '/ci', '/CI/x', '/ci/../billing', '/ci/%2e%2e/billing', '/ingest/cia', 'weir/gateway'])(
    'do not include %s',
    (source) => {
      expect(maySpeakFor(limited, source)).toBe(false);
    },
  );

  test('are all sources when none is named', () => {
    expect(maySpeakFor(one(`a:${sha256('a')}`), 'anything')).toBe(true);
  });
});

test("the organizations of a key are those it names, whatever their spelling; an anonymous event is nobody's", () => {
  const limited = one(`ci:${sha256('a')}:organization=Acme:organization=b.example`);
  expect(['acme', 'b.example', undefined].map((name) => mayCountFor(limited, name))).toEqual([true, true, true]);
  expect(['acme2', 'evil.example', ''].map((name) => mayCountFor(limited, name))).toEqual([false, false, false]);
  expect(mayCountFor(one(`a:${sha256('a')}`), 'anything')).toBe(true);
});
