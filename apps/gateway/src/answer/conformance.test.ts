import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { startRegistry, temporaryDirectory, type PrivateServer } from '@weir/testing';
import {
  ask,
  errorOf,
  scriptedUpstream,
  startTestGateway,
  type RawAnswer,
  type TestGateway,
} from '../gateway.test-support';
import { pushImage, pushIndex, type Pushed, type PushedImage } from '../images.test-support';
import { parseRules } from '../rules/rules-file';

// The read-only rules of the OCI distribution specification (end-1, 2, 3, 8a, 8b, 12a, 12b), as its conformance suite
// asks them of a registry, and what that suite leaves out: ranges, and bodies that are what their digest says. Asked as
// every client asks, following redirects, of a real registry behind the gateway.

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER = { 'user-agent': 'docker/27.1.1', accept: `${INDEX}, ${IMAGE}` };
const NONE = `sha256:${'ab'.repeat(32)}`;
const TAGS = ['a', 'b', 'c', 'd', 'e'];

let directory: { path: string; remove(): Promise<void> };
let registry: PrivateServer;
let image: PushedImage;
let index: Pushed;

beforeAll(async () => {
  directory = await temporaryDirectory();
  registry = await startRegistry({ dir: join(directory.path, 'registry') });
  image = await pushImage(registry.url, 'library/test', { tag: 'a', layerBytes: 5000 });
  index = await pushIndex(registry.url, 'library/test', [image], 'b');
  for (const tag of ['c', 'd', 'e']) await pushIndex(registry.url, 'library/test', [image], tag);
});

afterAll(async () => {
  await registry.stop();
  await directory.remove();
});

const sha256 = (body: Buffer) => `sha256:${createHash('sha256').update(body).digest('hex')}`;

/** As clients do: follows up to ten redirects; says how many there were. */
async function follow(
  base: string,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<RawAnswer & { hops: number }> {
  let at = new URL(path, base);
  for (let hops = 0; hops <= 10; hops += 1) {
    const answer = await ask(at.origin, `${at.pathname}${at.search}`, options);
    if (![301, 302, 303, 307, 308].includes(answer.status)) return { ...answer, hops };
    at = new URL(answer.headers.location ?? '', at);
  }
  throw new Error(`${path} redirects without end`);
}

describe.each([
  ['auto', 'followed', { mode: 'auto' }, {}],
  ['redirect', 'followed', { mode: 'redirect' }, {}],
  ['proxy', 'streamed', { mode: 'proxy' }, { publicUrl: false }],
])('in mode %s, blobs %s', (mode, _, rule, settings) => {
  let gateway: TestGateway;
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    follow(gateway.url, path, { method, headers: { ...DOCKER, ...headers } });

  beforeAll(async () => {
    const read = parseRules({
      upstreams: { hub: { url: registry.url, ...settings } },
      rules: [{ upstream: 'hub', ...rule }],
    });
    if (!read.ok) throw new Error(read.problems.join());
    gateway = await startTestGateway({ rules: read.rules });
  });
  afterAll(() => gateway.stop());

  test('end-1: the ping', async () => {
    const answer = await get('/v2/');
    expect(answer.status).toBe(200);
    expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0');
  });

  describe('end-3: manifests', () => {
    const cases: [string, () => { reference: string; pushed: Pushed }][] = [
      ['an image by tag', () => ({ reference: 'a', pushed: image })],
      ['an image by digest', () => ({ reference: image.digest, pushed: image })],
      ['an index by tag', () => ({ reference: 'b', pushed: index })],
      ['an index by digest', () => ({ reference: index.digest, pushed: index })],
    ];
    test.each(cases)('%s: GET has the very bytes, their digest, type and length', async (__, of) => {
      const { reference, pushed } = of();
      const answer = await get(`/v2/library/test/manifests/${reference}`);
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        'docker-content-digest': pushed.digest,
        'content-type': pushed.mediaType,
        'content-length': String(pushed.body.length),
      });
      expect(sha256(answer.body)).toBe(pushed.digest);
      // The first pull asks, from then on the client is sent there; only mode proxy never sends it.
      expect(answer.hops > 0).toBe(mode !== 'proxy');
    });

    test.each(cases)('%s: HEAD has the headers of GET and no body', async (__, of) => {
      const { reference, pushed } = of();
      const answer = await get(`/v2/library/test/manifests/${reference}`, {}, 'HEAD');
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        'docker-content-digest': pushed.digest,
        'content-type': pushed.mediaType,
        'content-length': String(pushed.body.length),
      });
      expect(answer.body).toHaveLength(0);
    });

    test.each(['GET', 'HEAD'])('%s of what is not there: 404, MANIFEST_UNKNOWN', async (method) => {
      for (const path of [`/v2/library/test/manifests/none`, `/v2/library/test/manifests/${NONE}`, '/v2/no/such/manifests/a']) {
        const answer = await get(path, {}, method);
        expect(answer.status).toBe(404);
        if (method === 'GET') expect(errorOf(answer.body)).toMatchObject([{ code: 'MANIFEST_UNKNOWN' }]);
      } // prettier-ignore
    });

    test('If-None-Match with its own ETag: 304 without a body', async () => {
      const answer = await get('/v2/library/test/manifests/a', { 'if-none-match': `"${image.digest}"` });
      expect(answer.status).toBe(304);
      expect(answer.body).toHaveLength(0);
    });
  });

  describe('end-2: blobs', () => {
    const layer = () => image.layers[0] ?? { digest: '', body: Buffer.alloc(0) };
    const path = () => `/v2/library/test/blobs/${layer().digest}`;

    test('GET has the very bytes, HEAD their length and digest', async () => {
      const whole = await get(path());
      expect([whole.status, sha256(whole.body)]).toEqual([200, layer().digest]);
      expect(whole.headers).toMatchObject({ 'content-length': '5000', 'docker-content-digest': layer().digest });
      const head = await get(path(), {}, 'HEAD');
      expect([head.status, head.body.length]).toEqual([200, 0]);
      expect(head.headers).toMatchObject({ 'content-length': '5000', 'docker-content-digest': layer().digest });
      expect([whole.hops, head.hops]).toEqual(mode === 'proxy' ? [0, 0] : [1, 1]);
    });

    test.each(['GET', 'HEAD'])('%s of what is not there: 404, BLOB_UNKNOWN', async (method) => {
      const answer = await get(`/v2/library/test/blobs/${NONE}`, {}, method);
      expect(answer.status).toBe(404);
      if (method === 'GET') expect(errorOf(answer.body)).toMatchObject([{ code: 'BLOB_UNKNOWN' }]);
    });

    test.each([
      ['a range', 'bytes=1000-1999', 1000, 2000],
      ['one byte', 'bytes=0-0', 0, 1],
      ['an open range', 'bytes=4990-', 4990, 5000],
      ['a suffix', 'bytes=-10', 4990, 5000],
      ['a suffix that is longer than everything', 'bytes=-9999', 0, 5000],
      ['a range beyond the end', 'bytes=4000-9999', 4000, 5000],
    ])('%s: 206 with these bytes and no others', async (__, range, from, to) => {
      const answer = await get(path(), { range });
      expect(answer.status).toBe(206);
      expect(answer.headers).toMatchObject({
        'content-range': `bytes ${from}-${to - 1}/5000`,
        'content-length': String(to - from),
      });
      expect(answer.body.equals(layer().body.subarray(from, to))).toBe(true);
    });

    test('ranges that many connections fetch make up the blob', async () => {
      const starts = [0, 1250, 2500, 3750];
      const parts = await Promise.all(starts.map((from) => get(path(), { range: `bytes=${from}-${from + 1249}` })));
      expect(sha256(Buffer.concat(parts.map(({ body }) => body)))).toBe(layer().digest);
    });

    // Where the client is sent to Debian's registry, it reads that one's own 416, which breaks off.
    const whereItStreams = mode === 'proxy' ? ['bytes=5000-', 'bytes=9000-9999'] : [];
    for (const range of whereItStreams)
      test(`${range} cannot be satisfied: 416 that says the length`, async () => {
        const answer = await get(path(), { range });
        expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */5000']);
        expect(errorOf(answer.body)).toMatchObject([{ code: 'RANGE_INVALID' }]);
      });

    test('If-Range with its own ETag: the range; with another: the whole', async () => {
      const { etag = '' } = (await get(path(), {}, 'HEAD')).headers;
      expect(etag).toContain(layer().digest);
      const same = await get(path(), { range: 'bytes=0-9', 'if-range': etag });
      const changed = await get(path(), { range: 'bytes=0-9', 'if-range': '"another"' });
      expect([same.status, same.body.length]).toEqual([206, 10]);
      expect([changed.status, sha256(changed.body)]).toEqual([200, layer().digest]);
    });
  });

  describe('end-8: tags', () => {
    test('8a: all of them, as the registry itself lists them', async () => {
      const answer = await get('/v2/library/test/tags/list');
      const listed = JSON.parse(answer.body.toString()) as { name: string; tags: string[] };
      expect(answer.status).toBe(200);
      expect({ ...listed, tags: listed.tags.sort() }).toEqual({ name: 'library/test', tags: TAGS });
    });

    test('of a repository that is not there: 404, NAME_UNKNOWN', async () => {
      const answer = await get('/v2/no/such/tags/list');
      expect(answer.status).toBe(404);
      expect(errorOf(answer.body)).toMatchObject([{ code: 'NAME_UNKNOWN' }]);
    });
  });

  test('end-12: a registry without referrers says 404, by which clients know that it has tags instead', async () => {
    expect((await get(`/v2/library/test/referrers/${image.digest}`)).status).toBe(404);
  });
});

// Debian's registry (2.8) pages no list of tags and has no referrers: a stand-in has these two lists, sorted, filtered and
// paged as the specification says.
describe.each(['auto', 'proxy'] as const)('lists of a stand-in for a registry that has them, in mode %s', (mode) => {
  const SIGNATURE = 'application/vnd.dev.cosign.artifact.sig.v1+json';
  const manifests = [SIGNATURE, 'application/spdx+json', SIGNATURE].map((artifactType, size) => ({
    mediaType: IMAGE, digest: NONE, size, artifactType,
  })); // prettier-ignore
  let standIn: Awaited<ReturnType<typeof scriptedUpstream>>;
  let gateway: TestGateway;

  const tags = ({ searchParams: query }: URL, response: ServerResponse) => {
    const after = TAGS.filter((tag) => tag > (query.get('last') ?? ''));
    const page = after.slice(0, Number(query.get('n') ?? after.length));
    const next = page.length < after.length && `</v2/library/test/tags/list?n=${query.get('n')}&last=${page.at(-1)}>`;
    response.writeHead(200, { 'content-type': 'application/json', ...(next ? { link: `${next}; rel="next"` } : {}) });
    response.end(JSON.stringify({ name: 'library/test', tags: page }));
  };
  const referrers = ({ pathname, searchParams: query }: URL, response: ServerResponse) => {
    const wanted = query.get('artifactType');
    const fitting = manifests.filter(({ artifactType }) => wanted === null || artifactType === wanted);
    const from = Number(query.get('from') ?? 0);
    query.set('from', String(from + 2));
    response.writeHead(200, {
      'content-type': INDEX,
      ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
      ...(from + 2 < fitting.length ? { link: `<${pathname}?${query.toString()}>; rel="next"` } : {}),
    });
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: fitting.slice(from, from + 2) }));
  };

  beforeAll(async () => {
    standIn = await scriptedUpstream((request, response) => {
      const url = new URL(request.url ?? '/', 'http://stand-in');
      return url.pathname.endsWith('/tags/list') ? tags(url, response) : referrers(url, response);
    });
    gateway = await startTestGateway({ upstream: standIn.url, mode });
  });
  afterAll(async () => {
    await gateway.stop();
    await standIn.stop();
  });

  /** The answers along `Link`, which has to lead to the gateway. */
  async function pages(path: string): Promise<RawAnswer[]> {
    const found: RawAnswer[] = [];
    for (let next: string | undefined = path; next !== undefined && found.length < 10;) {
      const answer: RawAnswer = await follow(gateway.url, next, { headers: DOCKER });
      expect(answer.status).toBe(200);
      found.push(answer);
      const { link } = answer.headers;
      next = /^<(\/v2\/library\/test\/[^>]*)>; rel="next"$/.exec(String(link ?? ''))?.[1];
      if (link !== undefined) expect(next).toBeDefined();
    }
    return found;
  }
  const jsonOf = <T>({ body }: RawAnswer) => JSON.parse(body.toString()) as T;

  test.each([
    ['?n=2', [['a', 'b'], ['c', 'd'], ['e']]],
    ['?n=2&last=b', [['c', 'd'], ['e']]],
    ['?n=100&last=d', [['e']]],
    ['?last=c', [['d', 'e']]],
    ['?n=0', [[]]],
  ])('end-8b: tags %s', async (query, expected) => {
    const found = await pages(`/v2/library/test/tags/list${query}`);
    expect(found.slice(0, expected.length).map((page) => jsonOf<{ tags: string[] }>(page).tags)).toEqual(expected);
  }); // prettier-ignore

  test.each([
    ['12a: without a filter', '', 3],
    ['12b: by type', `?artifactType=${encodeURIComponent(SIGNATURE)}`, 2],
    ['12b: by a type that nothing has', '?artifactType=none', 0],
  ])('end-%s: the referrers along every link', async (_, query, expected) => {
    const found = await pages(`/v2/library/test/referrers/${NONE}${query}`);
    for (const { headers } of found) {
      expect(headers['content-type']).toBe(INDEX);
      expect(headers['oci-filters-applied']).toBe(query === '' ? undefined : 'artifactType');
    }
    expect(found.flatMap((page) => jsonOf<{ manifests: unknown[] }>(page).manifests)).toHaveLength(expected);
  });
});
