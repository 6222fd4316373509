import { createHash, randomBytes } from 'node:crypto';
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { until } from '@weir/testing';
import { ask, scriptedUpstream, startTestGateway } from './gateway.test-support';
import { createGatewayServer } from './server';

// S08 to S10: clients that are slow, or many, or send more than anybody needs.

/** A server with the gateway's limits, some of them shorter, so that a test need not wait for them. */
async function serverWith(changed: Omit<Parameters<typeof createGatewayServer>[1], 'connections'>) {
  const server = createGatewayServer((_, response) => void response.end('ok'), { connections: 10, ...changed });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, stop: () => void server.close().closeAllConnections() };
}

/** Sends `first`, then `again` for as long as the server listens; resolves with all that it said. */
async function trickle(port: number, first: string, again: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  let said = '';
  socket.on('data', (chunk) => (said += chunk.toString('latin1')));
  socket.write(first);
  const more = setInterval(() => socket.write(again), 10);
  await once(socket, 'close');
  clearInterval(more);
  return said;
}

test('the limits are stricter than those of Node', () => {
  const server = createGatewayServer(() => {}, { connections: 7 });
  expect(server).toMatchObject({
    headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000, timeout: 120_000,
    maxRequestsPerSocket: 10_000, maxConnections: 7,
  }); // prettier-ignore
});

describe('slow clients (S09)', () => {
  const quick = { headersTimeout: 200, requestTimeout: 300, connectionsCheckingInterval: 50 };

  test('headers that never end: 408, and the connection is closed', async () => {
    const server = await serverWith(quick);
    const said = await trickle(server.port, 'GET /v2/ HTTP/1.1\r\nHost: a\r\n', 'X: y\r\n');
    server.stop();
    expect(said).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a request line that never ends: 408', async () => {
    const server = await serverWith(quick);
    const said = await trickle(server.port, 'GET /v2/', 'a');
    server.stop();
    expect(said).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a connection on which nothing is said is closed', async () => {
    const server = await serverWith({ idleTimeout: 200 });
    const said = await trickle(server.port, '', '');
    server.stop();
    expect(said).toBe('');
  });

  test('a body that never ends is not waited for', async () => {
    const upstream = await scriptedUpstream((_, response) => void response.end('{}'));
    const gateway = await startTestGateway({ upstream: upstream.url });
    const head = 'GET /v2/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    const said = await trickle(Number(new URL(gateway.url).port), head, '1\r\nx\r\n');
    await gateway.stop();
    await upstream.stop();
    expect(said).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
  });

  test('a client that does not read stops the upstream, not the memory of the gateway', async () => {
    const piece = randomBytes(1024 * 1024);
    const pieces = 64;
    let sent = 0;
    const upstream = await scriptedUpstream((_, response) => {
      response.writeHead(200, { 'content-length': piece.length * pieces });
      const more = () => {
        while (sent < pieces) {
          sent += 1;
          if (!response.write(piece)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const gateway = await startTestGateway({ upstream: upstream.url, mode: 'proxy' });
    const path = `/v2/a/blobs/sha256:${'ab'.repeat(32)}`;
    const sentOne = request(gateway.url + path, { headers: { authorization: 'Bearer x' }, agent: false }).end();
    const [answer] = (await once(sentOne, 'response')) as [IncomingMessage];
    // Nobody reads: it goes on until every buffer in between is full, and there it stays.
    let before = -1;
    let same = 0;
    await until(() => {
      same = sent === before && sent > 0 ? same + 1 : 0;
      before = sent;
      return same === 10;
    });
    expect(sent).toBeLessThan(pieces / 2);

    const hash = createHash('sha256');
    for await (const chunk of answer) hash.update(chunk as Buffer);
    await gateway.stop();
    await upstream.stop();
    const whole = createHash('sha256');
    for (let n = 0; n < pieces; n += 1) whole.update(piece);
    expect(hash.digest('hex')).toBe(whole.digest('hex'));
  });
});

describe('clients that send much (S10)', () => {
  test('of 2,000 headers none reaches the upstream', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const upstream = await scriptedUpstream((incoming, response) => {
      seen.push(incoming.headers);
      response.end('{}');
    });
    const gateway = await startTestGateway({ upstream: upstream.url });
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [n.toString(36), '']));
    const answer = await ask(gateway.url, '/v2/', { headers: { host: 'a', ...many } });
    await gateway.stop();
    await upstream.stop();
    expect(answer.status).toBe(200);
    expect(Object.keys(seen[0] ?? {}).sort()).toEqual(['connection', 'host']);
  });

  test('a connection ends after so many requests', async () => {
    const server = await serverWith({ maxRequestsPerSocket: 3 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const connections: (string | undefined)[] = [];
    for (let n = 0; n < 4; n += 1) {
      const sent = request({ port: server.port, host: '127.0.0.1', agent }).end();
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      connections.push(answer.headers.connection);
      await once(answer.resume(), 'end');
    }
    agent.destroy();
    server.stop();
    expect(connections).toEqual(['keep-alive', 'keep-alive', 'close', 'keep-alive']);
  });

  test('what clients send in a row without waiting is answered in its order', async () => {
    const upstream = await scriptedUpstream((_, response) => void response.end('{}'));
    const gateway = await startTestGateway({ upstream: upstream.url });
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    let said = '';
    socket.on('data', (chunk) => (said += chunk.toString('latin1')));
    const paths = Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? '/v2/' : '/nothing'));
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    const statuses = () => [...said.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    await until(() => statuses().length === paths.length);
    socket.destroy();
    await gateway.stop();
    await upstream.stop();
    expect(statuses()).toEqual(paths.map((path) => (path === '/v2/' ? '200' : '404')));
  });
});

test('nothing that a client names comes back in a header (S12)', async () => {
  const upstream = await scriptedUpstream((_, response) => void response.writeHead(404).end());
  const gateway = await startTestGateway({ upstream: upstream.url });
  const mark = 'xmarkx';
  const headers = {
    'user-agent': `docker/${mark}`,
    accept: `a/${mark}`,
    'x-request-id': mark,
    'x-meta-source-client': mark,
  };
  for (const path of [`/v2/a/manifests/${mark}`, `/v2/${mark}/tags/list`, `/v2/${mark}/x`, `/v2/?${mark}`]) {
    const answer = await ask(gateway.url, path, { headers });
    expect(JSON.stringify(answer.headers)).not.toContain(mark);
  } // prettier-ignore
  await gateway.stop();
  await upstream.stop();
});
