import { startRegistry, type PrivateServer } from '@weir/testing';
import { checkEvent } from '@weir/events';
import { execFile } from 'node:child_process';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildForm, keys, sha256, startService, startTarPit, temporaryDirectory, until, type Json, type Service } from './service.fixture'; // prettier-ignore

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let registry: PrivateServer;
let host: string;
let pit: Awaited<ReturnType<typeof startTarPit>>;
let service: Service;

beforeAll(async () => {
  root = await temporaryDirectory();
  registry = await startRegistry({ dir: join(root.path, 'registry') });
  host = new URL(registry.url).host;
  pit = await startTarPit();
  service = await startService({ INSECURE_REGISTRIES: `${host},${pit.host}` }, { work: join(root.path, 'work') });
}, 60_000);

afterAll(async () => {
  await service?.stop();
  pit?.stop();
  await registry?.stop();
  await root?.remove();
});

async function pulled(
  path: string,
  accept = `${INDEX}, ${MANIFEST}`,
): Promise<{ text: string; json: Json; digest: string }> {
  const response = await fetch(`${registry.url}/v2/${path}`, { headers: { accept } });
  expect(response.status).toBe(200);
  const text = await response.text();
  return { text, json: JSON.parse(text) as Json, digest: `sha256:${sha256(text)}` };
}

/** A program of this machine with the libraries it needs, for an image that starts FROM scratch. */
async function program(path: string): Promise<Record<string, Buffer>> {
  const { stdout } = await promisify(execFile)('ldd', [path]);
  const paths = [await realpath(path), ...[...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library ?? '')];
  return Object.fromEntries(await Promise.all(paths.map(async (name) => [name.slice(1), await readFile(name)])));
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => ''));
  return (await Promise.all(lines)).map((line) => line.split('\0').join(' ').trim());
}

const eventsOf = (id: unknown) => service.events.filter((event) => event.id.startsWith(String(id)));

describe('a build', () => {
  it('with a context is built, pushed and announced twice: at its launch and at its end', async () => {
    const files = { Dockerfile: 'FROM scratch\nARG WHO=nobody\nLABEL who=$WHO\nCOPY hello.txt /\n', 'hello.txt': 'hi' };
    const build = { image: `${host}/acme/app:1.4`, arguments: { WHO: 'you & $(me)' }, platforms: ['linux/arm64'] };
    const { status, headers, body } = await service.call('POST', '/builds', { form: await buildForm(build, files) });
    expect([status, body['joined']]).toEqual([202, false]);
    const path = headers.get('location') ?? '';
    expect(path).toBe(`/builds/${String(body['id'])}`);
    expect(eventsOf(body['id'])[0]).toMatchObject({ id: body['id'], type: 'io.weir.build' }); // before the answer

    const job = await service.ended(path);
    expect(job).toMatchObject({ state: 'succeeded', outcome: 'succeeded', arguments: ['WHO'] });
    const { json, digest } = await pulled('acme/app/manifests/1.4');
    expect(job['digest']).toBe(digest);
    const manifest = json as { config: { digest: string; size: number }; layers: { size: number }[] };
    expect(job['bytes']).toBe(manifest.config.size + manifest.layers.reduce((sum, { size }) => sum + size, 0));
    const config = (await pulled(`acme/app/blobs/${manifest.config.digest}`)).json;
    expect(config).toMatchObject({ architecture: 'arm64', config: { Labels: { who: 'you & $(me)' } } });

    const [launch, finished, ...more] = eventsOf(body['id']);
    expect(more).toEqual([]);
    const about = {
      repository: 'acme/app', tag: '1.4', registry: host, platform: 'linux/arm64/v8', user: { organization: 'acme.example' },
    }; // prettier-ignore
    expect(launch).toMatchObject({ source: 'weir/build-service', time: job['createdAt'], data: about });
    expect(finished).toMatchObject({
      id: `${String(body['id'])}-finished`, type: 'io.weir.build.finished', time: job['finishedAt'],
      data: { ...about, outcome: 'succeeded', digest, bytes: job['bytes'], durationMs: job['durationMs'] },
    }); // prettier-ignore
    for (const event of [launch, finished]) expect(checkEvent(event)).toMatchObject({ ok: true });
  });

  it('of several platforms pushes one index with all of them', async () => {
    const build = {
      image: `${host}/acme/two:1`,
      platforms: ['linux/arm64', 'linux/amd64', 'linux/aarch64'],
      dockerfile: 'FROM scratch\nLABEL a=b\n',
    };
    const { headers } = await service.call('POST', '/builds', { json: build });
    const job = await service.ended(headers.get('location') ?? '');
    expect(job).toMatchObject({ state: 'succeeded', platforms: ['linux/amd64', 'linux/arm64/v8'] });
    const { json, digest } = await pulled('acme/two/manifests/1');
    const { manifests } = json as { manifests: { platform: { architecture: string }; digest: string }[] };
    expect(manifests.map(({ platform }) => platform.architecture).sort()).toEqual(['amd64', 'arm64']);
    for (const child of manifests) await pulled(`acme/two/manifests/${child.digest}`);
    expect(job['digest']).toBe(digest);
    expect(eventsOf(job['id']).map(({ data }) => data)).toEqual([
      expect.objectContaining({ platforms: ['linux/amd64', 'linux/arm64/v8'] }),
      expect.objectContaining({ platforms: ['linux/amd64', 'linux/arm64/v8'], digest }),
    ]);
  });

  it('starts FROM an image of an insecure registry, with a Dockerfile at a path of its own', async () => {
    const base = { image: `${host}/acme/base:1`, dockerfile: 'FROM scratch\nLABEL base=yes\n' };
    await service.ended((await service.call('POST', '/builds', { json: base })).headers.get('location') ?? '');
    const form = await buildForm(
      { image: `${host}/acme/derived:1`, dockerfile: 'docker/app.dockerfile' },
      { 'docker/app.dockerfile': `FROM ${host}/acme/base:1\nCOPY a /\n`, a: 'a' },
    );
    const job = await service.ended((await service.call('POST', '/builds', { form })).headers.get('location') ?? '');
    expect(job).toMatchObject({ state: 'succeeded' });
  });

  it('that fails says why, in its state, its log and its event', async () => {
    const build = { image: `${host}/acme/broken:1`, dockerfile: 'FROM scratch\nCOPY nowhere /\n' };
    const { headers } = await service.call('POST', '/builds', { json: build });
    const path = headers.get('location') ?? '';
    const job = await service.ended(path);
    expect(job).toMatchObject({ state: 'failed', reason: expect.stringContaining('nowhere') as string });
    expect(job['reason']).not.toContain(root.path);
    const log = (await service.call('GET', `${path}/log`)).body['text'];
    expect(log).toContain('STEP 2/2: COPY nowhere /');
    expect(log).toMatch(/--- failed: .*nowhere.*\n$/);
    expect(eventsOf(job['id'])[1]).toMatchObject({ data: { outcome: 'failed' } });
    expect(eventsOf(job['id'])[1]?.data).not.toHaveProperty('digest');
  });

  it('leaves nothing on disk but its record and its log', async () => {
    const build = { image: `${host}/acme/clean:1`, dockerfile: 'FROM scratch\nLABEL a=b\n' };
    const { body, headers } = await service.call('POST', '/builds', { json: build });
    await service.ended(headers.get('location') ?? '');
    const left = async () => (await readdir(join(service.work, 'jobs', String(body['id'])))).sort().join(' ');
    await until(async () => (await left()) === 'job.json log'); // its last record may still be being written
    expect(await readdir(join(service.work, 'uploads'))).toEqual([]);
  });

  it('is cancelled while it runs, with every process of it', async () => {
    const build = { image: `${pit.host}/acme/stuck:1`, dockerfile: 'FROM scratch\nLABEL a=b\n' };
    const { headers, body } = await service.call('POST', '/builds', { json: build });
    const path = headers.get('location') ?? '';
    await until(() => pit.connections() > 0); // the push hangs
    expect((await service.call('GET', path)).body).toMatchObject({ state: 'running' });
    const cancelled = await service.call('DELETE', path);
    expect([cancelled.status, cancelled.body['state']]).toEqual([200, 'cancelled']);
    await until(() => pit.connections() === 0);
    await service.ended(path);
    expect(eventsOf(body['id']).map(({ data }) => data['outcome'])).toEqual([undefined, 'cancelled']);
    expect((await service.call('DELETE', path)).status).toBe(200); // once more is no harm
  });

  it('is cancelled in the middle of a RUN instruction, with what that has started and hidden', async () => {
    const seconds = String(100_000 + Math.floor(Math.random() * 100_000)); // an argument that only this sleep has
    const run = `RUN ["${await realpath('/usr/bin/setsid')}", "${await realpath('/bin/sleep')}", "${seconds}"]`;
    const files = { ...(await program('/bin/sleep')), ...(await program('/usr/bin/setsid')) };
    const form = await buildForm(
      { image: `${host}/acme/run:1` },
      { ...files, Dockerfile: `FROM scratch\nCOPY . /\n${run}\n` },
    );
    const posted = await service.call('POST', '/builds', { form });
    expect(posted.body).toMatchObject({ joined: false });
    const path = posted.headers.get('location') ?? '';
    await until(async () => (await commandLines()).some((line) => line.endsWith(`sleep ${seconds}`)));
    expect((await service.call('DELETE', path)).body['state']).toBe('cancelled');
    expect((await commandLines()).filter((line) => line.includes(seconds))).toEqual([]);
    await service.ended(path);
  });
});

describe('the same target', () => {
  it('is joined by the same request, and refused to another one with the field that differs', async () => {
    const dockerfile = 'FROM scratch\nLABEL a=b\n';
    const image = `${pit.host}/acme/joined:1`;
    const first = await service.call('POST', '/builds', { json: { image, dockerfile } });
    const path = first.headers.get('location') ?? '';
    const again = await service.call('POST', '/builds', { json: { dockerfile, image, arguments: {} } });
    expect([again.status, again.body['id'], again.body['joined']]).toEqual([202, first.body['id'], true]);

    const other = await service.call('POST', '/builds', { json: { image, dockerfile: `${dockerfile}LABEL c=d\n` } });
    expect(other.status).toBe(409);
    expect(other.body['errors']).toEqual([{ field: 'dockerfile', message: expect.any(String) as string }]);
    const stranger = await service.call('POST', '/builds', { json: { image, dockerfile }, key: keys.other });
    expect(stranger.status).toBe(409);
    expect(JSON.stringify(stranger.body)).not.toContain(first.body['id']);
    const mirror = { source: `${host}/acme/app:1.4`, target: image };
    expect((await service.call('POST', '/mirrors', { json: mirror })).body['errors']).toMatchObject([
      { field: 'target' },
    ]);

    await service.call('DELETE', path);
    await service.ended(path);
    expect(eventsOf(first.body['id'])).toHaveLength(2);
    expect(service.events.filter(({ subject }) => subject === image)).toHaveLength(2);
  });
});

describe('a mirror', () => {
  const index = async (name: string): Promise<Json> => {
    const build = {
      image: `${host}/${name}:1`,
      platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'],
      dockerfile: 'FROM scratch\nARG TARGETARCH\nLABEL for=$TARGETARCH\n',
    };
    return service.ended((await service.call('POST', '/builds', { json: build })).headers.get('location') ?? '');
  };

  it('copies an index with all its platforms, digest for digest', async () => {
    const { digest } = await index('source/all');
    const request = { source: `${host}/source/all:1`, target: `${host}/copy/all:2` };
    const { status, headers, body } = await service.call('POST', '/mirrors', { json: request });
    expect(status).toBe(202);
    const job = await service.ended(headers.get('location') ?? '');
    expect(job).toMatchObject({ state: 'succeeded', digest });
    const copy = await pulled('copy/all/manifests/2');
    expect(copy.digest).toBe(digest);
    for (const child of copy.json['manifests'] as { digest: string }[])
      await pulled(`copy/all/manifests/${child.digest}`);
    const platforms = ['linux/amd64', 'linux/arm64/v8', 'linux/s390x'];
    expect(eventsOf(body['id'])).toMatchObject([
      { type: 'io.weir.mirror', data: { repository: 'copy/all', tag: '2', platforms, user: { organization: 'acme.example' } } },
      { type: 'io.weir.mirror.finished', data: { repository: 'copy/all', outcome: 'succeeded', platforms, digest, bytes: job['bytes'] } },
    ]); // prettier-ignore
  });

  it('copies only the platforms that were asked for', async () => {
    await index('source/some');
    const request = {
      source: `${host}/source/some:1`,
      target: `${host}/copy/some:1`,
      platforms: ['linux/arm64/v8', 'linux/s390x'],
    };
    const job = await service.ended(
      (await service.call('POST', '/mirrors', { json: request })).headers.get('location') ?? '',
    );
    expect(job).toMatchObject({ state: 'succeeded', platforms: ['linux/arm64/v8', 'linux/s390x'] });
    const copy = await pulled('copy/some/manifests/1');
    expect(copy.digest).toBe(job['digest']);
    const { manifests } = (await pulled('source/some/manifests/1')).json as {
      manifests: { platform: { architecture: string } }[];
    };
    expect(copy.json['manifests']).toEqual(manifests.filter(({ platform }) => platform.architecture !== 'amd64'));
    for (const child of copy.json['manifests'] as { digest: string }[])
      await pulled(`copy/some/manifests/${child.digest}`);
  });

  it('fails with a reason when the source is not there, or has not the platform', async () => {
    const cases = [
      [{ source: `${host}/no/such:1`, target: `${host}/copy/none:1` }, /manifest unknown/],
      [{ source: `${host}/source/some:1`, target: `${host}/copy/none:1`, platforms: ['linux/riscv64'] }, /has no linux\/riscv64; it has linux\/amd64/],
    ] as const; // prettier-ignore
    for (const [request, reason] of cases) {
      const job = await service.ended(
        (await service.call('POST', '/mirrors', { json: request })).headers.get('location') ?? '',
      );
      expect([job['state'], job['reason']]).toEqual(['failed', expect.stringMatching(reason)]);
      expect(eventsOf(job['id']).map(({ data }) => data['outcome'])).toEqual([undefined, 'failed']);
    }
  });
});

describe('a log', () => {
  it('is streamed while the job runs, as text and as server-sent events that can be taken up again', async () => {
    const build = { image: `${pit.host}/acme/logged:1`, dockerfile: 'FROM scratch\nLABEL a=b\n' };
    const path = (await service.call('POST', '/builds', { json: build })).headers.get('location') ?? '';
    const headers = { authorization: `Bearer ${keys.acme}` };
    const text = await fetch(`${service.url}${path}/log`, { headers });
    const events = await fetch(`${service.url}${path}/log`, { headers: { ...headers, accept: 'text/event-stream' } });
    expect(text.headers.get('content-type')).toContain('text/plain');
    expect(events.headers.get('content-type')).toContain('text/event-stream');

    const reader = text.body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    while (!seen.includes('--- pushing')) seen += (await reader?.read())?.value ?? '';
    expect((await service.call('GET', path)).body).toMatchObject({ state: 'running' }); // it was live
    await service.call('DELETE', path);
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) seen += part.value;
    expect(seen).toMatch(/--- cancelled: cancelled on request\n$/);

    const stream = await events.text();
    const lines = [...stream.matchAll(/^event: log\nid: (\d+)\ndata: (.*)\n\n/gm)].map(([, id, line]) => ({
      id,
      line,
    }));
    expect(lines.map(({ line }) => `${line}\n`).join('')).toBe(seen);
    expect(stream).toMatch(/event: end\ndata: \{"state":"cancelled".*\}\n\n$/);
    const rest = await fetch(`${service.url}${path}/log`, {
      headers: { ...headers, accept: 'text/event-stream', 'last-event-id': lines.at(-2)?.id ?? '' },
    });
    expect(await rest.text()).toMatch(/^event: log\nid: \d+\ndata: --- cancelled: cancelled on request\n\nevent: end/);
  });
});

describe('who may', () => {
  it('needs a key, and sees nothing of other organizations', async () => {
    const build = { image: `${host}/acme/mine:1`, dockerfile: 'FROM scratch\nLABEL a=b\n' };
    for (const key of [null, 'wrong', `${keys.acme} `, '']) {
      const { status, headers, body } = await service.call('POST', '/builds', { json: build, key });
      expect([status, headers.get('www-authenticate'), body['status']]).toEqual(
        key === `${keys.acme} ` ? [202, null, undefined] : [401, 'Bearer', 401], // white space at a header's end is not of it
      );
    }
    const { headers } = await service.call('POST', '/builds', { json: build });
    const path = headers.get('location') ?? '';
    for (const [method, at] of [
      ['GET', path],
      ['DELETE', path],
      ['GET', `${path}/log`],
    ] as const)
      // prettier-ignore
      expect((await service.call(method, at, { key: keys.other })).status).toBe(404);
    expect((await service.call('GET', '/builds', { key: keys.other })).body).toEqual({ builds: [] });
    expect((await service.call('GET', path, { key: keys.operator })).status).toBe(200);
    expect((await service.call('GET', path.replace('builds', 'mirrors'))).status).toBe(404);
    await service.ended(path);
  });
});
