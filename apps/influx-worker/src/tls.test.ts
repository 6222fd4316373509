import {
  createTlsBench,
  runSource,
  startInfluxdb,
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

/** What becomes of writing a point to each URL and reading it, in one process: the value, or the error. */
function written(urls: readonly string[], env: Record<string, string>) {
  const program = `
    const { connectServer } = require('./server');
    const work = async (url) => {
      const server = await connectServer({ url, timeoutMs: 5000 });
      await server.ensureDatabase('tls');
      await server.write('tls', ['x v=7 1']);
      let value;
      for await (const { values } of server.query('tls', 'SELECT v FROM x')) value = values[0][1];
      server.close();
      return value;
    };
    (async () => {
      const results = [];
      for (const url of ${JSON.stringify(urls)}) results.push(await work(url).catch((error) => error.message));
      answer(results);
    })();`;
  return runSource(program, __dirname, env) as Promise<unknown[]>;
}

test('https:// leads to an InfluxDB whose certificate is signed by the authority of NODE_EXTRA_CA_CERTS, and to no other', async () => {
  const server = await startInfluxdb({ dir: `${dir.path}/influx`, tls: bench.certificate });
  const wrong = TLS_FAULTS.map((fault) => `https://weir:open-sesame@localhost:${bench.wrong[fault]}`);
  const [value, ...complaints] = await written([server.tlsUrl ?? '', ...wrong], { NODE_EXTRA_CA_CERTS: bench.caFile });
  expect(value).toBe(7);
  for (const [at, fault] of TLS_FAULTS.entries()) {
    expect([fault, complaints[at]]).toEqual([fault, expect.stringMatching(TLS_COMPLAINTS[fault])]);
    expect(complaints[at]).toMatch(/^InfluxDB at https:\/\/localhost:\d+ cannot be reached: /);
    expect(complaints[at]).not.toContain('open-sesame');
  }
  const [untrusted] = await written([server.tlsUrl ?? ''], {});
  expect(untrusted).toMatch(TLS_COMPLAINTS['unknown authority']);
  await server.stop();
});
