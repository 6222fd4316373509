import { parseClient } from './client';

// S47 of the reliability reference: a User-Agent is what a stranger sends. Its cost is bounded by looking at 512
// characters of it, with an expression that reads each of them once.

const rest = ' and so on'.repeat(10_000);

test.each([
  ['64 KB of one letter', 'a'.repeat(65_536), undefined],
  ['Mozilla, ten thousand times', 'Mozilla '.repeat(10_000), 'mozilla'],
  ['a product of products', 'a/b/'.repeat(20_000), undefined],
  ['brackets that never close', `docker/27.1 ${'('.repeat(60_000)}`, 'docker'],
  ['white space before, inside and behind', `${' '.repeat(60_000)}docker/1`, undefined],
  ['almost a version, again and again', `x/${'1.'.repeat(30_000)}`, undefined],
  ['nothing but separators', ',;()'.repeat(15_000), undefined],
  ['control characters between', `doc\u0000ker/27${'\u0001'.repeat(60_000)}`, 'docker'],
  ['a path without an end', '/a'.repeat(30_000), 'a'],
  ['a path to nowhere', './'.repeat(30_000), undefined],
  ['a version in brackets that never close', `regclient/regctl (v1${'.'.repeat(60_000)}`, 'regclient'],
  ['half a pair', `docker/27 ${'\ud800'.repeat(30_000)}`, 'docker'],
])('%s is cut, and read as what is left', (_what, userAgent, name) => {
  const client = parseClient(userAgent);
  expect(client?.name).toBe(name);
  expect((client?.name.length ?? 0) + (client?.version?.length ?? 0)).toBeLessThanOrEqual(128);
});

test('what stands behind the first 512 characters changes nothing', () => {
  for (const start of ['docker/27.1.1 go/1.22 ', 'x'.repeat(60), '(', 'helm/3.1 ']) {
    const padded = start.padEnd(512, ' z');
    expect(parseClient(padded + rest)).toEqual(parseClient(padded));
  }
});
