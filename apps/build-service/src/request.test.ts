import type { Refusal } from './refusal';
import { checkBuild, checkMirror, difference, readJson } from './request';

const context = 'c'.repeat(64);
const build = (value: unknown, withContext: string | undefined = context) =>
  checkBuild(value, { context: withContext, defaultPlatform: 'linux/amd64' });
const image = 'registry.example.com/acme/app:1.4';

function fieldsOf(action: () => unknown): string[] {
  try {
    action();
  } catch (error) {
    const { document } = error as Refusal;
    expect(document.status).toBe(400);
    expect(document.detail).not.toMatch(/undefined|\[object/);
    return (document.errors ?? []).map(({ field }) => field);
  }
  return [];
}

describe('a request for a build', () => {
  it('is taken in canonical form: the same thing asked for in two ways is the same', () => {
    const one = build({
      image,
      platforms: ['linux/aarch64', 'linux/amd64', 'linux/arm64/v8'],
      arguments: { B: '2', A: '1' },
    });
    const two = build({ arguments: { A: '1', B: '2' }, platforms: ['linux/x86_64', 'linux/arm64'], image });
    expect(one).toEqual({
      image, platforms: ['linux/amd64', 'linux/arm64/v8'], arguments: [['A', '1'], ['B', '2']], context,
    }); // prettier-ignore
    expect(difference(one, two)).toBeUndefined();
    expect(build({ image })).toMatchObject({ platforms: ['linux/amd64'], arguments: [] });
  });

  it('names the field in which two requests differ', () => {
    const one = build({ image, arguments: { A: '1' } });
    expect(difference(one, build({ image, arguments: { A: '2' } }))).toBe('arguments');
    expect(difference(one, build({ image, arguments: { A: '1' }, platforms: ['linux/arm64'] }))).toBe('platforms');
    expect(difference(one, build({ image, arguments: { A: '1' }, dockerfile: 'Other' }))).toBe('dockerfile');
    expect(difference(one, build({ image, arguments: { A: '1' } }, 'd'.repeat(64)))).toBe('context');
  });

  it('takes a word as a path in the context, and anything else as a Dockerfile', () => {
    expect(build({ image, dockerfile: 'docker/app.dockerfile' }).dockerfile).toEqual({ path: 'docker/app.dockerfile' });
    expect(build({ image, dockerfile: 'FROM scratch' }, undefined).dockerfile).toEqual({ text: 'FROM scratch' });
  });

  it.each<[string, unknown, string[]]>([
    ['nothing', undefined, ['body']],
    ['a list', [], ['body']],
    ['text', 'build it', ['body']],
    ['no image', {}, ['image']],
    ['an image of the wrong type', { image: 7 }, ['image']],
    ['an image without a host', { image: 'acme/app:1' }, ['image']],
    ['an image without a tag', { image: 'registry.example.com/acme/app' }, ['image']],
    ['an image with a digest', { image: `registry.example.com/a@sha256:${'0'.repeat(64)}` }, ['image']],
    ['an image with a scheme', { image: 'docker://registry.example.com/a:1' }, ['image']],
    ['an image in capitals', { image: 'registry.example.com/Acme:1' }, ['image']],
    ['an image that could be a flag', { image: '--authfile=/etc/passwd' }, ['image']],
    ['an image that could be two words', { image: 'registry.example.com/a:1 --all' }, ['image']],
    ['an image that climbs', { image: 'registry.example.com/../a:1' }, ['image']],
    ['a very long image', { image: `registry.example.com/${'a'.repeat(100_000)}:1` }, ['image']],
    ['unknown fields', { image, Image: 1, user: { organization: 'x' } }, ['Image', 'user']],
    ['platforms that are text', { image, platforms: 'linux/amd64' }, ['platforms']],
    ['no platforms', { image, platforms: [] }, ['platforms']],
    [
      'odd platforms',
      { image, platforms: ['linux/amd64', 'amd64', '--help', 'a/b,c/d'] },
      ['platforms.1', 'platforms.2', 'platforms.3'],
    ],
    ['too many platforms', { image, platforms: Array.from({ length: 17 }, (_, n) => `linux/p${n}`) }, ['platforms']],
    ['arguments that are a list', { image, arguments: ['A=1'] }, ['arguments']],
    [
      'odd names of arguments',
      { image, arguments: { 'A=B': '', '--X': '', '1A': '', '': '', 'A B': '' } },
      ['arguments.1A', 'arguments.A=B', 'arguments.--X', 'arguments.', 'arguments.A B'],
    ],
    ['values that are no text', { image, arguments: { A: 1, B: null } }, ['arguments.A', 'arguments.B']],
    ['a NUL in a value', { image, arguments: { A: 'a\0b' } }, ['arguments.A']],
    ['a huge value', { image, arguments: { A: 'a'.repeat(20_000) } }, ['arguments.A']],
    ['a path out of the context', { image, dockerfile: '../Dockerfile' }, ['dockerfile']],
    ['an absolute path', { image, dockerfile: '/etc/passwd' }, ['dockerfile']],
    ['several mistakes', { image: 'x', platforms: [1], dockerfile: '' }, ['image', 'platforms.0', 'dockerfile']],
  ])('with %s is refused by the names of the fields', (_what, value, fields) => {
    expect(fieldsOf(() => build(value)).sort()).toEqual([...fields].sort());
  });

  it('keeps an argument named __proto__ an argument', () => {
    const value = readJson(Buffer.from(`{"image":"${image}","arguments":{"__proto__":"x","constructor":"y"}}`), 'body');
    expect(build(value).arguments).toEqual([['__proto__', 'x'], ['constructor', 'y']]); // prettier-ignore
    expect(
      fieldsOf(() => build(readJson(Buffer.from(`{"image":"${image}","__proto__":{"polluted":1}}`), 'body'))),
    ).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('needs the text of a Dockerfile when there is no context', () => {
    expect(fieldsOf(() => build({ image }, undefined))).toEqual([]); // the helper's default is a context
    expect(fieldsOf(() => checkBuild({ image }, { defaultPlatform: 'linux/amd64' }))).toEqual(['dockerfile']);
    expect(fieldsOf(() => checkBuild({ image, dockerfile: 'Dockerfile' }, { defaultPlatform: 'linux/amd64' }))).toEqual(
      ['dockerfile'],
    );
  });
});

describe('a request for a mirror', () => {
  const digest = `sha256:${'a'.repeat(64)}`;

  it('is taken with a tag or a digest as its source', () => {
    expect(checkMirror({ source: 'docker.io/library/alpine:3.20', target: image })).toEqual({
      source: 'docker.io/library/alpine:3.20',
      target: image,
    });
    expect(checkMirror({ source: `docker.io/library/alpine:3.20@${digest}`, target: image }).source).toBe(
      `docker.io/library/alpine@${digest}`,
    );
  });

  it.each<[string, unknown, string[]]>([
    ['nothing', {}, ['source', 'target']],
    ['a source without a tag', { source: 'docker.io/library/alpine', target: image }, ['source']],
    ['a source with a digest that is none', { source: 'docker.io/library/alpine@sha256:1', target: image }, ['source']],
    ['itself', { source: image, target: image }, ['target']],
    ['an unknown field', { source: 'docker.io/library/alpine:1', target: image, all: true }, ['all']],
  ])('with %s is refused by the names of the fields', (_what, value, fields) => {
    expect(fieldsOf(() => checkMirror(value)).sort()).toEqual(fields);
  });
});

describe('JSON', () => {
  it.each([
    ['{"image":', /must be JSON/],
    ['', /must be JSON/],
    ['\ufeff{}', /must be JSON/],
    ['{"a":NaN}', /must be JSON/],
  ])('that is malformed is refused: %j', (text, message) => {
    expect(() => readJson(Buffer.from(text), 'build')).toThrow(message);
  });

  it('that is not UTF-8 is refused', () => {
    expect(() => readJson(Buffer.from([0x22, 0xff, 0x22]), 'build')).toThrow('build must be JSON: it is not UTF-8');
  });
});
