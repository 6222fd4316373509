import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp, type AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createAuthority, temporaryDirectory, type Authority, type Certificate } from '@weir/testing';
import { readConfig } from '@weir/service';
import { variables } from './config';
import { cloudEvent, sha256, startEdge, type TestEdge } from './edge.test-support';
import { boundedServer, drain } from './server';
import { readTls } from './tls';

const NAME = 'ci.example';
const KEYS = `bound:${sha256('bound')}:certificate=${NAME},free:${sha256('secret')}`;

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let ours: Authority;
let server: Certificate;
let edge: TestEdge;
let port: number;
let close: () => Promise<void>;

beforeAll(async () => {
  dir = await temporaryDirectory();
  ours = await createAuthority(dir.path, 'ours');
  server = await ours.issue({ names: ['localhost', '127.0.0.1'] });
  edge = await startEdge({ keys: KEYS });
  const tls = readTls(configured({ INGEST_TLS_CLIENT_CA_FILE: ours.certFile, INGEST_KEYS: KEYS }));
  // The same API behind the server that ingest runs with these variables.
  const routes = edge.server.listeners('request')[0] as Parameters<typeof boundedServer>[0];
  const secured = boundedServer(routes, { connections: 50, requestTimeoutMs: 5000, tls }).listen(0, '127.0.0.1');
  await once(secured, 'listening');
  port = (secured.address() as AddressInfo).port;
  close = () => (secured.closeAllConnections(), drain(secured));
});
afterAll(async () => {
  await close();
  await edge.close();
  await dir.remove();
});
afterEach(() => edge.publisher.events.splice(0));

function configured(env: Record<string, string>) {
  return readConfig(variables, {
    SPOOL_DIR: '/nowhere', INGEST_KEYS: `a:${sha256('a')}`,
    INGEST_TLS_CERT_FILE: server.certFile, INGEST_TLS_KEY_FILE: server.keyFile, ...env,
  }); // prettier-ignore
}

/** Posts an event with a client certificate; resolves with the status, rejects when the connection is refused. */
function post(client: Certificate | undefined, key = 'bound'): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request({
      host: '127.0.0.1', port, path: '/events', method: 'POST', agent: false, ca: readFileSync(ours.certFile),
      ...(client ? { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) } : {}),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    }); // prettier-ignore
    sending.on('response', (response) => (response.resume(), resolve(response.statusCode ?? 0)));
    sending.on('error', reject);
    sending.end(JSON.stringify(cloudEvent()));
  });
}

describe('mutual TLS (S18)', () => {
  test('lets a client in whose certificate has the name of its key', async () => {
    expect(await post(await ours.issue({ names: ['other.example', NAME] }))).toBe(202);
  });

  test.each<[string, () => Promise<Certificate | undefined>]>([
    ['without a certificate', () => Promise.resolve(undefined)],
    ['with an expired one', () => ours.issue({ names: [NAME], expired: true })],
    ['with one of another authority', async () => (await createAuthority(dir.path, 'theirs')).issue({ names: [NAME] })],
    [
      'with one of an authority that calls itself ours',
      async () => (await createAuthority(dir.path, 'ours-too')).issue({ names: [NAME] }),
    ],
  ])('refuses the connection of a client %s', async (_what, certificate) => {
    await expect(post(await certificate(), 'secret')).rejects.toThrow(/certificate|alert|ECONNRESET|socket hang up/i);
    expect(edge.publisher.events).toEqual([]);
  });

  test.each([[['other.example']], [[`${NAME}.evil.example`]], [['*.example']], [['127.0.0.1']]])(
    'answers 403 to a key that is bound to another name than %j',
    async (names) => {
      const client = await ours.issue({ names });
      expect(await post(client)).toBe(403);
      expect(await post(client, 'secret')).toBe(202); // a key that is bound to none
    },
  );

  test('does not take the common name for a name', async () => {
    expect(await post(await ours.issue({ names: ['other.example'], commonName: NAME }))).toBe(403);
  });

  test('a bound key is of no use over plain HTTP', async () => {
    expect(await edge.post(cloudEvent(), { authorization: 'Bearer bound' })).toMatchObject({ status: 403 });
  });
});

describe('a port with TLS', () => {
  test('speaks no plain HTTP', async () => {
    const socket = connectTcp(port, '127.0.0.1');
    socket.write('POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
    await once(socket, 'close');
    expect(Buffer.concat(chunks).toString()).not.toMatch(/HTTP\/1\.1 2/);
  });

  test('speaks no TLS older than 1.2', async () => {
    const socket = connectTls({ port, host: '127.0.0.1', minVersion: 'TLSv1', maxVersion: 'TLSv1.1', rejectUnauthorized: false }); // prettier-ignore
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toMatch(/version|protocol/i);
  });

  test('cuts a client off that never finishes its handshake', async () => {
    const tls = readTls(configured({}));
    const quick = boundedServer(() => {}, { connections: 5, requestTimeoutMs: 100, tls }).listen(0, '127.0.0.1');
    await once(quick, 'listening');
    const socket = connectTcp((quick.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
    await once(socket, 'close');
    await drain(quick);
  });
});

describe('the files of TLS', () => {
  test('are none where none is named', () => {
    expect(readTls(configured({ INGEST_TLS_CERT_FILE: '', INGEST_TLS_KEY_FILE: '' }))).toBeUndefined();
  });

  test('are all named that are wrong, without what is in them', async () => {
    const junk = `${dir.path}/junk`;
    await writeFile(junk, 'hunter2');
    const other = await ours.issue({ names: ['x'] });
    const wrong = (env: Record<string, string>) => () => readTls(configured(env));
    expect(wrong({ INGEST_TLS_CERT_FILE: '/nowhere/x.crt', INGEST_TLS_KEY_FILE: junk })).toThrow(
      /INGEST_TLS_CERT_FILE: the file cannot be read \(ENOENT\)[^]*INGEST_TLS_KEY_FILE: the file holds nothing of the kind/,
    );
    expect(wrong({ INGEST_TLS_KEY_FILE: junk })).not.toThrow(/hunter2/);
    expect(wrong({ INGEST_TLS_KEY_FILE: other.keyFile })).toThrow(/INGEST_TLS_KEY_FILE: is not the key of/);
    expect(wrong({ INGEST_TLS_KEY_FILE: '' })).toThrow(/INGEST_TLS_KEY_FILE: is missing beside/);
    expect(wrong({ INGEST_TLS_CERT_FILE: '' })).toThrow(/INGEST_TLS_CERT_FILE: is missing beside/);
    expect(wrong({ INGEST_TLS_CERT_FILE: '', INGEST_TLS_KEY_FILE: '', INGEST_TLS_CLIENT_CA_FILE: ours.certFile })).toThrow(/needs INGEST_TLS_CERT_FILE/); // prettier-ignore
    expect(wrong({ INGEST_KEYS: KEYS })).toThrow(/INGEST_KEYS: bound has certificate=, which needs INGEST_TLS_CLIENT_CA_FILE/); // prettier-ignore
  });
});
