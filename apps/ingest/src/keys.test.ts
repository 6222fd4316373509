import { createHash } from 'node:crypto';
import { callerOf, maySpeakFor, parseKeys } from './keys';
import type { ApiKey } from './keys';

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
  const keys = parseKeys(`a:${sha256('key-a')},b:${sha256('key-b')}:builds,c:${sha256('key-c')}:builds:ingest`).keys;

  test.each([
    ['a bearer token', { authorization: 'Bearer key-a' }, 'a'],
    ['a bearer token in any case of the scheme', { authorization: 'bearer  key-c' }, 'c'],
    ["seed 003's API-KEY", { 'api-key': 'key-a' }, 'a'],
  ])('is found in %s', (_what, headers, name) => {
    expect(callerOf(headers, keys)).toMatchObject({ key: { name } });
  });

  test.each([
    ['no header at all', {}, 'missing'],
    ['another scheme', { authorization: 'Basic a2V5LWE=' }, 'missing'],
    ['an empty token', { authorization: 'Bearer ' }, 'missing'],
    ['an unknown key', { authorization: 'Bearer key-x' }, 'unknown'],
    ['the hash instead of the key', { authorization: `Bearer ${sha256('key-a')}` }, 'unknown'],
    ['a key without the scope', { authorization: 'Bearer key-b' }, 'scope'],
    ['a broken Authorization beside a good API-KEY', { authorization: 'Bearer x', 'api-key': 'key-a' }, 'unknown'],
  ])('is refused for %s', (_what, headers, refused) => {
    expect(callerOf(headers, keys)).toEqual({ refused });
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
