import { createServer } from 'node:http';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isolated, testServers } from '@weir/testing';
import { connectServer, identifier, ServerError } from './server';

interface Seen {
  url: string;
  authorization: string | undefined;
  body: string;
}

/** A server that says it is of some version and answers writes as told; there is no 2.x or 3.x to be had for tests. */
async function pretender(version: string, answer: (seen: Seen) => { status: number; body?: string } | 'nothing') {
  const seen: Seen[] = [];
  const http: HttpServer = createServer((request: IncomingMessage, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.url === '/ping') return void response.writeHead(204, { 'x-influxdb-version': version }).end();
      const one = { url: request.url ?? '', authorization: request.headers.authorization, body };
      seen.push(one);
      const told = answer(one);
      if (told !== 'nothing') response.writeHead(told.status, { 'content-type': 'application/json' }).end(told.body);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    seen,
    address: `127.0.0.1:${port}`,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

const failure = async (work: Promise<unknown>): Promise<ServerError> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ServerError);
  return error as ServerError;
};

test.each([
  ['1.6.7~rc0', '/write?db=my%20db&precision=ns', `Basic ${Buffer.from('me:p@ss').toString('base64')}`],
  ['1.8.10', '/write?db=my%20db&precision=ns', `Basic ${Buffer.from('me:p@ss').toString('base64')}`],
  ['v2.7.6', '/api/v2/write?org=weir&bucket=my%20db&precision=ns', 'Token p@ss'],
  ['3.0.1', '/api/v2/write?org=weir&bucket=my%20db&precision=ns', 'Token p@ss'],
])('InfluxDB %s is written through %s', async (version, url, authorization) => {
  const there = await pretender(version, () => ({ status: 204 }));
  const server = await connectServer({ url: `http://me:p%40ss@${there.address}`, org: 'weir' });
  await server.write('my db', ['a b=1 1', 'a b=1 2']);
  expect(there.seen).toEqual([{ url, authorization, body: 'a b=1 1\na b=1 2' }]);
  expect(server.major).toBe(Number(/\d/.exec(version)?.[0]));
  server.close();
  await there.close();
});

test('a token comes before the password of the URL', async () => {
  const there = await pretender('2.7.6', () => ({ status: 204 }));
  const server = await connectServer({ url: `http://me:pass@${there.address}`, token: 'secret-token' });
  await server.write('d', ['a b=1 1']);
  expect(there.seen[0]?.authorization).toBe('Token secret-token');
  server.close();
  await there.close();
});

test.each([
  [500, '{"error":"timeout"}', 'unavailable', 'answers 500: timeout'],
  [503, '', 'unavailable', 'answers 503'],
  [429, '{"message":"slow down"}', 'unavailable', 'answers 429: slow down'],
  [401, '{"error":"authorization failed"}', 'setup', 'refuses the credentials'],
  [403, '{"message":"no right"}', 'setup', 'refuses the credentials'],
  [404, '{"error":"database not found: \\"d\\""}', 'setup', 'create the database'],
  [400, '{"message":"Please provide either orgID or org"}', 'setup', 'check INFLUX_ORG'],
  [400, '{"error":"partial write: field type conflict: … organization … dropped=1"}', 'data', 'field type conflict'],
  [422, '{"message":"points beyond retention policy"}', 'data', 'retention'],
  [413, '', 'data', 'Too Large'],
  [201, '{"message":"partial"}', 'data', ''],
  [200, '', 'unavailable', 'answers 200'],
])('an answer of %i %s is %s', async (status, body, kind, message) => {
  const there = await pretender('2.7.6', () => ({ status, body }));
  const server = await connectServer({ url: `http://me:hidden-secret@${there.address}` });
  const error = await failure(server.write('d', ['a b=1 1']));
  expect(error.kind).toBe(kind);
  expect(error.message).toContain(message);
  expect(error.message).not.toContain('hidden-secret');
  expect(there.seen).toHaveLength(1); // the client has not tried again on its own
  server.close();
  await there.close();
});

test('a server that takes a write and never answers is given up', async () => {
  const there = await pretender('1.6.7', () => 'nothing');
  const server = await connectServer({ url: `http://${there.address}`, timeoutMs: 300 });
  expect((await failure(server.write('d', ['a b=1 1']))).kind).toBe('unavailable');
  server.close();
  await there.close();
});

test('nobody there, or something else there, is said without the credentials', async () => {
  const there = await pretender('x', () => ({ status: 204 }));
  expect((await failure(connectServer({ url: `http://me:hidden@${there.address}` }))).message).toMatch(
    /is no InfluxDB .*INFLUX_URL/,
  );
  await there.close();
  const error = await failure(connectServer({ url: `http://me:hidden@${there.address}` }));
  expect(error.kind).toBe('unavailable');
  expect(error.message).toMatch(/cannot be reached: ECONNREFUSED/);
  expect(error.message).not.toContain('hidden');
});

test('a real server refuses wrong credentials, and says which variable to look at', async () => {
  const { host } = new URL(await testServers().influx());
  const server = await connectServer({ url: `http://weir:wrong-secret@${host}` });
  for (const work of [() => server.write('d', ['a b=1 1']), () => server.ensureDatabase('d')]) {
    const error = await failure(work());
    expect([error.kind, error.status]).toEqual(['setup', 401]);
    expect(error.message).toContain('INFLUX_URL');
    expect(error.message).not.toContain('wrong-secret');
  }
  server.close();
});

test('a database is created when it is missing, whatever its name, and left alone when it is there', async () => {
  const server = await connectServer({ url: await testServers().influx() });
  const name = `we ir é ${process.pid}`;
  await server.ensureDatabase(name);
  await server.write(name, ['a b=1 1700000000123456789']);
  await server.ensureDatabase(name);
  const rows = [];
  for await (const some of server.query(name, 'SELECT b FROM a; SELECT count(b) FROM a')) rows.push(some);
  expect(rows.map(({ statement, values }) => [statement, values[0]])).toEqual([
    [0, ['2023-11-14T22:13:20.123456789Z', 1]],
    [1, ['1970-01-01T00:00:00Z', 1]],
  ]);
  for await (const some of server.query('', `DROP DATABASE ${identifier(name)}`)) void some;
  server.close();
});

test('a statement that fails among others is an error, never an empty answer', async () => {
  const { url, database, remove } = await isolated.influx();
  const server = await connectServer({ url });
  const run = async () => {
    for await (const rows of server.query(database, 'SHOW DATABASES; SELECT nothing(x) FROM y')) void rows;
  };
  expect((await failure(run())).message).toContain('undefined function');
  server.close();
  await remove();
});
