import { readFileSync } from 'node:fs';
import { readConfig } from '@weir/service';
import {
  createTlsBench,
  runSource,
  startMongoStandIn,
  temporaryDirectory,
  TLS_COMPLAINTS,
  TLS_FAULTS,
  type TlsBench,
} from '@weir/testing';
import { mongoWorker } from './mongo';

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

/** What becomes of connecting to each URL and writing nothing, in one process: `done`, or the error. */
function connected(urls: readonly string[], env: Record<string, string>) {
  const program = `
    const { mongoWorker } = require('./mongo');
    const { readConfig } = require('@weir/service');
    const context = { log: require('pino')({ level: 'silent' }), metrics: new (require('prom-client').Registry)() };
    const work = async (url) => {
      const worker = mongoWorker.create(readConfig(mongoWorker.variables, { MONGODB_URL: url }), context);
      try {
        await worker.connect();
        return 'done';
      } finally {
        await worker.close();
      }
    };
    Promise.all(${JSON.stringify(urls)}.map((url) => work(url).catch((error) => error.message))).then(answer);`;
  return runSource(program, __dirname, env) as Promise<string[]>;
}

test('tls=true leads to a MongoDB whose certificate is signed by the authority of NODE_EXTRA_CA_CERTS, and to no other', async () => {
  const { certFile, keyFile } = bench.certificate;
  const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  const server = await startMongoStandIn({ tls, user: 'weir', password: 'open-sesame' });
  const at = (port: number) => server.url.replace(/@.*:\d+\//, `@localhost:${port}/`);
  const urls = [server.port, ...TLS_FAULTS.map((fault) => bench.wrong[fault])].map(at);
  const [done, ...complaints] = await connected(urls, { NODE_EXTRA_CA_CERTS: bench.caFile });
  expect(done).toBe('done');
  for (const [index, fault] of TLS_FAULTS.entries()) {
    expect([fault, complaints[index]]).toEqual([fault, expect.stringMatching(TLS_COMPLAINTS[fault])]);
    expect(complaints[index]).toMatch(/^no usable MongoDB at localhost:\d+ within 5 s \(MONGODB_URL\): /);
    expect(complaints[index]).not.toContain('open-sesame');
  }
  const [untrusted] = await connected([at(server.port)], {});
  expect(untrusted).toMatch(TLS_COMPLAINTS['unknown authority']);
  await server.stop();
});

test.each(['tlsInsecure=true', 'tlsAllowInvalidCertificates=true', 'tlsAllowInvalidHostnames=true'])(
  'a URL that turns verification off is a mistake: %s',
  (option) => {
    const env = { MONGODB_URL: `mongodb://weir:open-sesame@localhost:27017/?tls=true&${option}` };
    expect(() => readConfig(mongoWorker.variables, env)).toThrow(
      /MONGODB_URL: must not turn the verification of certificates off/,
    );
    expect(() => readConfig(mongoWorker.variables, env)).not.toThrow('open-sesame');
  },
);
