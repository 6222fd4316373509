import {
  createTlsBench,
  runSource,
  startRabbitmq,
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

/** What the state of a link to each URL comes to, in one process: true, or the first reason. */
function linked(urls: readonly string[], env: Record<string, string>) {
  const program = `
    const { keepConnected } = require('./link');
    const { setTimeout: pause } = require('node:timers/promises');
    const log = require('pino')({ level: 'silent' });
    const work = async (url) => {
      const link = keepConnected({ url, name: 'tls', log, setup: async (connection) => void (await connection.createChannel()) });
      while (link.state() === 'not connected yet') await pause(20);
      const state = link.state();
      await link.close();
      return state;
    };
    Promise.all(${JSON.stringify(urls)}.map(work)).then(answer);`;
  return runSource(program, __dirname, env) as Promise<unknown[]>;
}

test('amqps:// leads to a broker whose certificate is signed by the authority of NODE_EXTRA_CA_CERTS, and to no other', async () => {
  const server = await startRabbitmq({ dir: `${dir.path}/rabbitmq`, tls: bench.certificate });
  const wrong = TLS_FAULTS.map((fault) => `amqps://weir:open-sesame@localhost:${bench.wrong[fault]}`);
  const [state, ...complaints] = await linked([server.tlsUrl ?? '', ...wrong], { NODE_EXTRA_CA_CERTS: bench.caFile });
  expect(state).toBe(true);
  for (const [at, fault] of TLS_FAULTS.entries()) {
    expect([fault, complaints[at]]).toEqual([fault, expect.stringMatching(TLS_COMPLAINTS[fault])]);
    expect(complaints[at]).not.toContain('open-sesame');
  }
  const [untrusted] = await linked([server.tlsUrl ?? ''], {});
  expect(untrusted).toMatch(TLS_COMPLAINTS['unknown authority']);
  await server.stop();
});
