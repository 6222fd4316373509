import { parseRegistryPath } from './path';

const D = `sha256:${'a1'.repeat(32)}`;

describe('the path of a registry request', () => {
  test.each([
    ['/v2/', { kind: 'base' }],
    ['/v2', { kind: 'base' }],
    ['/v2/_catalog', { kind: 'catalog' }],
    ['/v2/alpine/manifests/latest', { kind: 'manifest', name: 'alpine', reference: { tag: 'latest' } }],
    [`/v2/library/alpine/manifests/${D}`, { kind: 'manifest', name: 'library/alpine', reference: { digest: D } }],
    [`/v2/a/b/c/blobs/${D}`, { kind: 'blob', name: 'a/b/c', digest: D }],
    ['/v2/a/tags/list', { kind: 'tags', name: 'a' }],
    [`/v2/a/referrers/${D}`, { kind: 'referrers', name: 'a', digest: D }],
    // A component may carry the name of a keyword: the last one that can be it splits.
    ['/v2/tags/tags/list', { kind: 'tags', name: 'tags' }],
    ['/v2/a/manifests/manifests/latest', { kind: 'manifest', name: 'a/manifests', reference: { tag: 'latest' } }],
    ['/v2/a/blobs/tags/list', { kind: 'tags', name: 'a/blobs' }],
    ['/v2/a/tags/manifests/list', { kind: 'manifest', name: 'a/tags', reference: { tag: 'list' } }],
    [`/v2/manifests/blobs/${D}`, { kind: 'blob', name: 'manifests', digest: D }],
    ['/v2/manifests/manifests/manifests', { kind: 'manifest', name: 'manifests', reference: { tag: 'manifests' } }],
    ['/v2/my-proj__x.y/z---1/tags/list', { kind: 'tags', name: 'my-proj__x.y/z---1' }],
  ])('%s is understood', (path, expected) => {
    expect(parseRegistryPath(path)).toEqual(expected);
  });

  test.each([
    ['/v2/UPPER/manifests/latest', 'NAME_INVALID'],
    ['/v2//manifests/latest', 'NAME_INVALID'],
    ['/v2/a//b/manifests/latest', 'NAME_INVALID'],
    ['/v2/a/../b/manifests/latest', 'NAME_INVALID'],
    ['/v2/..;/manifests/latest', 'NAME_INVALID'],
    ['/v2/%2e%2e/%2e%2e/manifests/latest', 'NAME_INVALID'],
    ['/v2/a%2Fb/manifests/latest', 'NAME_INVALID'],
    ['/v2/a%00/manifests/latest', 'NAME_INVALID'],
    ['/v2/a%0d%0aSet-Cookie:x/manifests/latest', 'NAME_INVALID'],
    ['/v2/a%c0%af/manifests/latest', 'NAME_INVALID'],
    ['/v2/user@host/manifests/latest', 'NAME_INVALID'],
    ['/v2/a#b/manifests/latest', 'NAME_INVALID'],
    ['/v2/-a/manifests/latest', 'NAME_INVALID'],
    ['/v2/a___b/manifests/latest', 'NAME_INVALID'],
    ['/v2/manifests/latest', 'NAME_INVALID'],
    [`/v2/${'a'.repeat(256)}/tags/list`, 'NAME_INVALID'],
    [`/v2/${'a/'.repeat(4000)}tags/list`, 'NAME_INVALID'],
    ['/v2/a/manifests/.hidden', 'TAG_INVALID'],
    ['/v2/a/manifests/', 'TAG_INVALID'],
    ['/v2/a/manifests/a%20b', 'TAG_INVALID'],
    [`/v2/a/manifests/${'t'.repeat(129)}`, 'TAG_INVALID'],
    ['/v2/a/manifests/sha256:abc', 'DIGEST_INVALID'],
    [`/v2/a/manifests/sha256:${'G'.repeat(64)}`, 'DIGEST_INVALID'],
    ['/v2/a/blobs/latest', 'DIGEST_INVALID'],
    [`/v2/a/blobs/sha256:${'A1'.repeat(32)}`, 'DIGEST_INVALID'],
    ['/v2/a/referrers/latest', 'DIGEST_INVALID'],
    ['/v2/a/tags/', 'UNSUPPORTED'],
    ['/v2/a/blobs/uploads/1234', 'UNSUPPORTED'],
    ['/v2/a', 'UNSUPPORTED'],
    ['/v2foo/a/manifests/latest', 'UNSUPPORTED'],
    ['//evil.example/v2/', 'UNSUPPORTED'],
    ['/\\evil', 'UNSUPPORTED'],
    ['/', 'UNSUPPORTED'],
  ])('%s is refused with %s', (path, code) => {
    expect(parseRegistryPath(path)).toMatchObject({ kind: 'invalid', code });
  });

  test('a name of exactly 255 characters is a name', () => {
    const name = `${'a'.repeat(127)}/${'b'.repeat(127)}`;
    expect(parseRegistryPath(`/v2/${name}/tags/list`)).toEqual({ kind: 'tags', name });
  });
});
