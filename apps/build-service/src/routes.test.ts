import { connect } from 'node:net';
import { join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { buildForm, keys, startService, startTarPit, tarOf, temporaryDirectory, until, type Service } from './service.fixture'; // prettier-ignore

let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let service: Service;

beforeAll(async () => {
  root = await temporaryDirectory();
  service = await startService(
    { BUILD_CONTEXT_BYTES: '100000', TARGET_REGISTRIES: 'registry.example.com/acme', SOURCE_REGISTRIES: 'docker.io' },
    { work: join(root.path, 'work') },
  );
});
afterAll(async () => {
  await service?.stop();
  await root?.remove();
});

const image = 'registry.example.com/acme/app:1';
const dockerfile = 'FROM scratch\n';

async function form(parts: Record<string, string | Blob>): Promise<FormData> {
  const data = new FormData();
  for (const [name, value] of Object.entries(parts)) data.append(name, value as string);
  return Promise.resolve(data);
}

/** Sends raw text over a socket, as clients that lie do; resolves with the answer's first line and its body. */
async function raw(lines: string[], body = ''): Promise<string> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  const head = ['host: weir', `authorization: Bearer ${keys.acme}`, ...lines.slice(1)];
  socket.write(`${lines[0]} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${body}`);
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', () => {});
  await until(() => /\r\n\r\n.*\}$/s.test(text));
  socket.destroy();
  return text;
}

describe('every mistake is a problem document that names the field', () => {
  const json = (path: string, body: unknown) => () => service.call('POST', path, { json: body });
  const multipart = (parts: () => Promise<FormData>) => async () =>
    service.call('POST', '/builds', { form: await parts() });

  it.each<[string, () => ReturnType<Service['call']>, number, string[]]>([
    ['malformed JSON', json('/builds', '{"image"'), 400, ['body']],
    ['a wrong type', json('/builds', { image: 1, dockerfile }), 400, ['image']],
    ['an unknown field', json('/mirrors', { source: 'docker.io/a/b:1', target: image, x: 1 }), 400, ['x']],
    ['a huge body', json('/mirrors', { source: 'a'.repeat(600_000) }), 413, ['body']],
    [
      'a target that is not allowed',
      json('/builds', { image: 'registry.example.com/acmeter/a:1', dockerfile }),
      400,
      ['image'],
    ],
    ['a source that is not allowed', json('/mirrors', { source: 'quay.io/a/b:1', target: image }), 400, ['source']],
    ['no body', () => service.call('POST', '/mirrors'), 415, ['content-type']],
    [
      'text',
      () => service.call('POST', '/builds', { json: '{}', headers: { 'content-type': 'text/plain' } }),
      415,
      ['content-type'],
    ],
    [
      'a compressed body',
      () => service.call('POST', '/builds', { json: '{}', headers: { 'content-encoding': 'gzip' } }),
      415,
      [],
    ],
    ['an unknown path', () => service.call('GET', '/build'), 404, []],
    ['an unknown job', () => service.call('GET', '/builds/019a0000-0000-7000-8000-000000000001'), 404, []],
    ['a malformed path', () => service.call('GET', '/builds/%ff'), 400, []],
    ['a wrong method', () => service.call('PUT', '/builds'), 405, []],
    ['a form without its JSON', multipart(async () => form({ context: new Blob(['x']) })), 400, ['build']],
    ['a form with a part too many', multipart(async () => form({ build: '{}', other: 'x' })), 400, ['other']],
    ['a form with an unknown file', multipart(async () => form({ build: '{}', file: new Blob(['x']) })), 400, ['file']],
    ['a context that is no file', multipart(async () => form({ build: '{}', context: 'x' })), 400, ['context']],
    [
      'a context that is no archive',
      multipart(async () => form({ build: JSON.stringify({ image }), context: new Blob(['x']) })),
      400,
      ['context'],
    ],
    [
      'a context that is too large',
      multipart(async () => form({ build: '{}', context: new Blob([Buffer.alloc(120_000)]) })),
      413,
      ['context'],
    ],
    ['a context without a Dockerfile', multipart(() => buildForm({ image }, { 'a.txt': 'a' })), 400, ['dockerfile']],
    [
      'a Dockerfile that is not in the context',
      multipart(() => buildForm({ image, dockerfile: 'no' }, { a: 'a' })),
      400,
      ['dockerfile'],
    ],
    [
      'a form with malformed JSON',
      multipart(async () => form({ build: '{', context: new Blob([await tarOf({})]) })),
      400,
      ['build'],
    ],
  ])('%s', async (_what, call, status, fields) => {
    const { status: found, headers, body } = await call();
    expect([found, body['status']]).toEqual([status, status]);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(((body['errors'] ?? []) as { field: string }[]).map(({ field }) => field)).toEqual(fields);
    expect(JSON.stringify(body)).not.toMatch(/\.ts:|node_modules|at Object/);
    expect(JSON.stringify(body)).not.toContain(root.path);
    expect(service.events).toEqual([]);
    expect(await readdir(join(root.path, 'work', 'uploads'))).toEqual([]);
    expect(await readdir(join(root.path, 'work', 'jobs'))).toEqual([]);
  });

  it('before the body of a liar has come: at its length, and at the missing end of its form', async () => {
    const start = '--b\r\ncontent-disposition: form-data; name="build"\r\n\r\n{}';
    const type = 'content-type: multipart/form-data; boundary=b';
    expect(await raw(['POST /builds', type, 'content-length: 99999999999'], start)).toMatch(/^HTTP\/1.1 413 /);
    expect(await raw(['POST /builds', type, `content-length: ${start.length}`], start)).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw(['POST /builds', 'content-type: multipart/form-data', 'content-length: 2'], '{}')).toMatch(/^HTTP\/1.1 400 /); // prettier-ignore
    const chunk = `${'a'.repeat(65_536)}`;
    const file = '--b\r\ncontent-disposition: form-data; name="context"; filename="c"\r\n\r\n';
    const endless = `${file.length.toString(16)}\r\n${file}\r\n${`10000\r\n${chunk}\r\n`.repeat(3)}`;
    expect(await raw(['POST /builds', type, 'transfer-encoding: chunked'], endless)).toMatch(/^HTTP\/1.1 413 /);
  });
});

describe('a program that is missing', () => {
  it('is named with the way to get it, and only its kind of job is refused', async () => {
    const bare = await startService({ PATH: join(root.path, 'nothing') }, { work: join(root.path, 'bare') });
    try {
      const build = await bare.call('POST', '/builds', { json: { image, dockerfile } });
      expect([build.status, build.body['detail']]).toEqual([503, 'buildah is not installed: apt-get install buildah']);
      const mirror = await bare.call('POST', '/mirrors', { json: { source: 'docker.io/a/b:1', target: image } });
      expect([mirror.status, mirror.body['detail']]).toEqual([503, 'skopeo is not installed: apt-get install skopeo']);
      expect((await bare.call('GET', '/builds')).status).toBe(200);
    } finally {
      await bare.stop();
    }
  });
});

describe('a work directory', () => {
  it('belongs to one process', async () => {
    await expect(startService({}, { work: join(root.path, 'work') })).rejects.toThrow(/WORK_DIR .* is in use/);
  });
});

describe('a service without keys', () => {
  it('does not start, unless everybody may build', async () => {
    await expect(startService({ BUILD_KEYS: '' }, { work: join(root.path, 'open') })).rejects.toThrow(/BUILD_KEYS/);
    const open = await startService({ BUILD_KEYS: '', BUILD_ANONYMOUS: 'true' }, { work: join(root.path, 'open') });
    expect((await open.call('GET', '/mirrors', { key: null })).status).toBe(200);
    await open.stop();
  });
});

describe('a build that takes too long', () => {
  it('is ended and says so', async () => {
    const pit = await startTarPit();
    const env = { BUILD_TIMEOUT_SECONDS: '1', INSECURE_REGISTRIES: pit.host };
    const slow = await startService(env, { work: join(root.path, 'slow') });
    try {
      const build = { image: `${pit.host}/a:1`, dockerfile: 'FROM scratch\nLABEL a=b\n' };
      const job = await slow.ended((await slow.call('POST', '/builds', { json: build })).headers.get('location') ?? '');
      expect(job).toMatchObject({ state: 'timed-out', reason: 'not done after 1 s' });
      await until(() => pit.connections() === 0);
    } finally {
      await slow.stop();
      pit.stop();
    }
  });
});
