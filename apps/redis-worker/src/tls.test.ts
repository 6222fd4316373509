import {
  createTlsBench,
  runSource,
  startRedis,
  temporaryDirectory,
  TLS_COMPLAINTS,
  TLS_FAULTS,
  type TlsBench,
} from '@weir/testing';

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let bench: TlsBench;

beforeAll(async () => {
  dir = await temporaryDirectory();
  bench = await createTlsBench(dir.path);
});
afterAll(async () => {
  await bench.close();
  await dir.remove();
});

/** What becomes of connecting to each URL, in one process that trusts our authority: `true`, or the error. */
function connected(urls: readonly string[], env: Record<string, string>) {
  const program = `
    const { openConnection } = require('./connection');
    const log = require('pino')({ level: 'silent' });
    (async () => {
      const results = [];
      for (const url of ${JSON.stringify(urls)}) {
        const connection = openConnection({ url, log });
        results.push(await connection.use(() => connection.redis.ping()).catch((error) => error.message));
        await connection.close();
      }
      answer(results);
    })();`;
  return runSource(program, __dirname, env) as Promise<string[]>;
}

test('rediss:// leads to a Redis whose certificate is signed by the authority of NODE_EXTRA_CA_CERTS, and to no other', async () => {
  const server = await startRedis({ dir: `${dir.path}/redis`, tls: bench.certificate });
  const wrong = TLS_FAULTS.map((fault) => `rediss://default:open-sesame@localhost:${bench.wrong[fault]}`);
  const [pong, ...complaints] = await connected([server.tlsUrl ?? '', ...wrong], { NODE_EXTRA_CA_CERTS: bench.caFile });
  expect(pong).toBe('PONG');
  for (const [at, fault] of TLS_FAULTS.entries()) {
    expect([fault, complaints[at]]).toEqual([fault, expect.stringMatching(TLS_COMPLAINTS[fault])]);
    expect(complaints[at]).toMatch(/^Redis at localhost:\d+: /);
    expect(complaints[at]).not.toContain('open-sesame');
  }
  const [untrusted] = await connected([server.tlsUrl ?? ''], {});
  expect(untrusted).toMatch(TLS_COMPLAINTS['unknown authority']);
  await server.stop();
});
