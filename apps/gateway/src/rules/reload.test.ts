import { createHash } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startApp, temporaryDirectory, until } from '@weir/testing';
import { ask, startTestGateway } from '../gateway.test-support';
import { parseRules } from './rules-file';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const DIGEST = `sha256:${'ab'.repeat(32)}`;

let directory: { path: string; remove(): Promise<void> };
let file: string;
const servers: Server[] = [];

beforeEach(async () => {
  directory = await temporaryDirectory();
  file = join(directory.path, 'rules.json');
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
  await directory.remove();
});

async function listening(answer: RequestListener): Promise<{ url: string; connections(): Promise<number> }> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
  };
}

/** As a careful operator changes a file: whole, or not at all. */
async function write(content: object | string): Promise<void> {
  await writeFile(`${file}.new`, typeof content === 'string' ? content : JSON.stringify(content));
  await rename(`${file}.new`, file);
}

const only = (url: string, rule: object = {}) => ({
  upstreams: { hub: { url } },
  rules: [{ upstream: 'hub', mode: 'proxy', ...rule }],
});

/** A gateway in this process that reads `file`, which has `content`. */
async function gatewayWith(content: object) {
  await write(content);
  const read = parseRules(content);
  if (!read.ok) throw new Error(read.problems.join());
  return startTestGateway({ rules: read.rules }, { RULES_FILE: file });
}

const manifests: RequestListener = (_, response) =>
  void response.writeHead(200, { 'content-type': IMAGE }).end('{"schemaVersion":2}');

describe('the process on SIGHUP', () => {
  test('drops no request, however often it comes, and serves a new image after', async () => {
    // A blob that goes on and on: a piece for every reload.
    let piece = (): void => {};
    const registries = await Promise.all(
      [1, 2].map(() =>
        listening((request, response) => {
          if (!request.url?.includes('/blobs/')) return manifests(request, response);
          response.writeHead(200, { 'content-type': 'application/octet-stream' }).flushHeaders();
          let pieces = 0;
          piece = () => ((pieces += 1) < 40 ? void response.write(`piece ${pieces} `) : void response.end('last'));
        }),
      ),
    );
    const rulesOf = (times: number, image = 'old/**') => only(registries[times % 2]?.url ?? '', { image });
    await write(rulesOf(0));
    const gateway = startApp('gateway', {
      RULES_FILE: file, GATEWAY_PORT: '0', SPOOL_DIR: join(directory.path, 'spool'), AMQP_URL: 'amqp://127.0.0.1:9',
    }); // prettier-ignore
    const url = `http://127.0.0.1:${String((await gateway.logged(({ msg }) => msg === 'gateway listens'))['port'])}`;
    const admin = `http://127.0.0.1:${String((await gateway.logged(({ msg }) => msg === 'started'))['adminPort'])}`;
    const loaded = async () => Number(/reloads_total\{outcome="loaded"\} (\d+)/.exec(await (await fetch(`${admin}/metrics`)).text())?.[1]); // prettier-ignore

    const blob = ask(url, `/v2/old/a/blobs/${DIGEST}`, { headers: { authorization: 'Bearer x' } });
    let over = false;
    const statuses: number[] = [];
    const clients = [1, 2, 3, 4].map(async (client) => {
      while (!over) statuses.push((await ask(url, `/v2/old/${client}/manifests/v1`)).status);
    });
    for (let times = 1; times <= 40; times += 1) {
      await write(rulesOf(times));
      const before = statuses.length;
      gateway.signal('SIGHUP');
      await until(async () => (await loaded()) === times);
      await until(() => statuses.length > before);
      piece();
    }
    over = true;
    await Promise.all(clients);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect((await blob).body.toString()).toMatch(/^piece 1 .* piece 39 last$/);

    expect((await ask(url, '/v2/new/manifests/v1')).status).toBe(404);
    await write(rulesOf(40, 'new'));
    gateway.signal('SIGHUP');
    await until(async () => (await ask(url, '/v2/new/manifests/v1')).status === 200);
    expect((await ask(url, '/v2/old/1/manifests/v1')).status).toBe(404);
    // The one that is named no more has no connection left.
    await until(async () => (await registries[1]?.connections()) === 0);
    expect(await gateway.stop()).toBe(0);
  });
});

test('a wrong file leaves the old rules, and every mistake is logged with its place', async () => {
  const { url } = await listening(manifests);
  const gateway = await gatewayWith(only(url));
  const before = await gateway.metric('weir_gateway_rules_loaded_timestamp_seconds');
  for (const wrong of [{ upstreams: { hub: { url: 'x' } }, rules: [{ upstream: 'none', mode: 'x' }] }, '{"upstreams":{"hub"']) {
    await write(wrong);
    gateway.reload();
    expect((await ask(gateway.url, '/v2/a/manifests/v1')).status).toBe(200);
  } // prettier-ignore
  const refused = await gateway.metric('weir_gateway_rules_reloads_total', { outcome: 'refused' });
  const loaded = await gateway.metric('weir_gateway_rules_reloads_total', { outcome: 'loaded' });
  await gateway.stop();
  for (const place of ['upstreams.hub.url:', 'rules[0].mode:', 'rules[0].upstream: \\"none\\"', `${file} is no JSON`])
    expect(gateway.logged()).toContain(place);
  expect([refused, loaded]).toEqual([2, 0]);
  expect(await gateway.metric('weir_gateway_rules_loaded_timestamp_seconds')).toBe(before);
});

test('without a file there is nothing to read anew, and the log says so', async () => {
  const { url } = await listening(manifests);
  const gateway = await startTestGateway({ upstream: url, mode: 'proxy' });
  gateway.reload();
  expect((await ask(gateway.url, '/v2/a/manifests/v1')).status).toBe(200);
  await gateway.stop();
  expect(gateway.logged()).toContain('there is no RULES_FILE');
});

test('a request ends under the rules with which it began, through redirects of its upstream', async () => {
  let go: (() => void) | undefined;
  const old = await listening((request, response) => {
    if (request.url?.includes('/there/')) return manifests(request, response);
    go = () => void response.writeHead(307, { location: '/v2/there/manifests/v1' }).end();
  });
  const next = await listening((_, response) => void response.writeHead(404).end());
  const gateway = await gatewayWith(only(old.url));
  const asked = ask(gateway.url, '/v2/a/manifests/v1');
  await until(() => go !== undefined);
  await write(only(next.url));
  gateway.reload();
  expect((await ask(gateway.url, '/v2/a/manifests/v1')).status).toBe(404);
  go?.();
  expect((await asked).status).toBe(200);
  expect((await gateway.events()).map(({ type }) => type)).toEqual(['io.weir.pull']);
  await until(async () => (await old.connections()) === 0);
  await gateway.stop();
});

test('an upstream that is named as before keeps its connections', async () => {
  const seen = new Set<number | undefined>();
  const { url } = await listening((request, response) => {
    seen.add(request.socket.remotePort);
    manifests(request, response);
  });
  const gateway = await gatewayWith(only(url));
  for (let times = 0; times < 3; times += 1) {
    expect((await ask(gateway.url, '/v2/a/tags/list')).status).toBe(200);
    gateway.reload();
  }
  await gateway.stop();
  expect(seen.size).toBe(1);
});

test('a label that new rules look at is found on an image that was pulled before', async () => {
  const config = Buffer.from(JSON.stringify({ config: { Labels: { fusion: 'yes' } } }));
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  const manifest = JSON.stringify({ schemaVersion: 2, config: { digest, size: config.length }, layers: [] });
  const { url } = await listening((request, response) => {
    if (request.url?.includes('/blobs/')) return void response.end(config);
    response.writeHead(200, { 'content-type': IMAGE }).end(manifest);
  });
  const gateway = await gatewayWith(only(url, { fusion: { label: 'other' } }));
  await ask(gateway.url, '/v2/a/manifests/v1');
  await gateway.events();
  await write(only(url, { fusion: { label: 'fusion' } }));
  gateway.reload();
  await ask(gateway.url, '/v2/a/manifests/v1');
  const events = await gateway.events();
  await gateway.stop();
  expect(events.map(({ data }) => data['fusion'])).toEqual([undefined, true]);
});
