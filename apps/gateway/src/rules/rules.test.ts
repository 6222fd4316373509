import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '@weir/service';
import { variables } from '../config';
import { imageMatcher, textMatcher } from './glob';
import { parseRules } from './rules-file';

const upstreams = { hub: { url: 'http://127.0.0.1:5000' }, other: { url: 'https://other.example' } };

const rulesOf = (rules: object[], more: object = {}) => {
  const read = parseRules({ upstreams, rules, ...more });
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return read.rules;
};

describe('patterns', () => {
  test.each([
    ['**', 'a', true],
    ['**', 'a/b/c', true],
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['library/*', 'library/alpine', true],
    ['library/*', 'library/a/b', false],
    ['library/**', 'library/a/b', true],
    ['**/app', 'a/b/app', true],
    ['**/app', 'app', true],
    ['**/app', 'a/myapp', false],
    ['team-*/x*y', 'team-1/x-2-y', true],
    ['team-*/x*y', 'team-1/x-2', false],
    ['a/**/b/**/c', 'a/1/b/2/3/c', true],
    ['alpine', 'alpine2', false],
  ])('%s on %s: %s', (pattern, name, expected) => {
    expect(imageMatcher(pattern)(name)).toBe(expected);
  });

  test('a pattern full of stars is answered in no time', () => {
    expect(textMatcher('*a'.repeat(100))('a'.repeat(250) + 'b')).toBe(false);
    expect(imageMatcher(Array(100).fill('**/a').join('/'))('a/'.repeat(120) + 'b')).toBe(false);
  });
});

describe('rules', () => {
  test('the first that matches host and image decides', () => {
    const rules = rulesOf([
      { host: 'images.example.com', image: 'library/**', upstream: 'other' },
      { host: '*.example.com', upstream: 'hub', mode: 'proxy' },
      { host: 'localhost:8080', upstream: 'hub', mode: 'redirect' },
    ]);
    const found = (host: string | undefined, image: string) => rules.find(host, image);
    expect(found('images.example.com', 'library/alpine')?.upstream.name).toBe('other');
    expect(found('IMAGES.example.com.:443', 'library/alpine')?.upstream.name).toBe('other');
    expect(found('images.example.com', 'team/app')).toMatchObject({ upstream: { name: 'hub' }, mode: 'proxy' });
    expect(found('localhost:8080', 'team/app')?.mode).toBe('redirect');
    for (const host of [
      'localhost',
      'localhost:80',
      'example.com',
      'evil.test',
      'a b',
      '',
      undefined,
      'images.example.com@evil',
    ])
      expect(found(host, 'library/alpine')).toBeUndefined();
    expect(rules.findForHost('images.example.com')?.upstream.name).toBe('other');
    expect(rules.findForHost('evil.test')).toBeUndefined();
  });

  test('names are changed on their way upstream', () => {
    const rules = rulesOf([
      { image: 'tool', upstream: 'hub', rename: 'vendor/tool' },
      { image: 'mirror/**', upstream: 'hub', stripPrefix: 'mirror/', addPrefix: 'library/' },
      { upstream: 'hub', addPrefix: 'all/' },
    ]);
    const renamed = (image: string) => rules.find('h', image)?.nameAtUpstream(image);
    expect(['tool', 'mirror/a/b', 'x'].map(renamed)).toEqual(['vendor/tool', 'library/a/b', 'all/x']);
    expect(renamed('a'.repeat(255))).toBeUndefined();
  });
});

describe('a rules file', () => {
  test('has all its mistakes reported together, each with its place', () => {
    const read = parseRules({
      upstreams: {
        hub: { url: 'ftp://x' },
        'bad name': { url: 'http://u:p@h' },
        third: { url: 'http://h/path', public: 1 },
      },
      rules: [
        { upstream: 'none', mode: 'sometimes' },
        { upstream: 'hub', image: 'a/b**', rename: 'X' },
        { host: 'http://h', upstream: 'hub', image: 'a', rename: 'b', addPrefix: 'c/' },
        { upstream: 'hub', image: 'a/*', rename: 'b', fusion: { labels: 'x' } },
      ],
      organizations: { admin: 'Example' },
      extra: true,
    });
    expect(read.ok).toBe(false);
    const text = read.ok ? '' : read.problems.join('\n');
    for (const place of [
      'upstreams.hub.url:', 'upstreams.bad name: must be a short name', 'upstreams.third.url:', 'upstreams.third: has no field public',
      'rules[0].upstream: "none" is not among the upstreams (hub, bad name, third)', 'rules[0].mode: must be one of auto, redirect, proxy',
      'rules[1].image: ** stands for whole components', 'rules[1].rename:', 'rules[2].host:', 'rules[2].rename: cannot stand beside',
      'rules[3].rename: needs an image without *', 'rules[3].fusion:', 'organizations: entry 1 must be named by the SHA-256', 'organizations: entry 1 must be an organization in the form in which it is counted: example', 'the file: has no field extra',
    ]) expect(text).toContain(place); // prettier-ignore
  });

  test.each([[null], [[]], ['text'], [{}], [{ upstreams: {}, rules: [] }], [{ upstreams, rules: [null, 7] }]])(
    '%j is refused, not tripped over',
    (json) => expect(parseRules(json).ok).toBe(false),
  );

  test('works as the documentation shows it', async () => {
    const page = await readFile(join(__dirname, '../../../../docs/request-handling.md'), 'utf8');
    const example = /```json\n([^`]*)```/.exec(page)?.[1] ?? '';
    const read = parseRules(JSON.parse(example));
    expect(read).toMatchObject({ ok: true });
    if (read.ok) expect(read.rules.find('x', 'mirror/alpine')?.nameAtUpstream('mirror/alpine')).toBe('library/alpine');
  });

  test('is checked with the rest of the configuration: every mistake in one report', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'weir-rules-'));
    const path = join(directory, 'rules.json');
    await writeFile(path, JSON.stringify({ upstreams, rules: [{ upstream: 'none' }] }));
    const environment = {
      RULES_FILE: path,
      GATEWAY_PORT: 'x',
      UPSTREAM: 'http://h/path',
      GATEWAY_MODE: 'no',
      AMQP_URL: 'http://x',
    };
    expect(() => readConfig(variables, environment)).toThrow(
      /5 mistakes:\n(?=[\s\S]*GATEWAY_PORT: )(?=[\s\S]*UPSTREAM: )(?=[\s\S]*GATEWAY_MODE: )(?=[\s\S]*AMQP_URL: )[\s\S]*RULES_FILE: rules\[0\].upstream: "none"/,
    );
    await rm(directory, { recursive: true });
    expect(() => readConfig(variables, { RULES_FILE: path })).toThrow(/RULES_FILE: .* cannot be read \(ENOENT\)/);
  });
});
