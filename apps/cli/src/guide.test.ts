import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { declareTopology } from '@weir/bus';
import { isolated } from '@weir/testing';
import { connect } from 'amqplib';
import { weirDone } from './io.test-support';

/** The command lines of the guide for operators that need no more than a broker, as they are written there. */
const guide = readFileSync(join(__dirname, '../../../docs/operations.md'), 'utf8');
const lines = [...guide.matchAll(/^ *npx weir ((?:dead-letters|topology)[^\n]*)$/gm)].map(([, line]) =>
  (line ?? '').trim(),
);

test.each([...new Set(lines)])('weir %s', async (line) => {
  const broker = await isolated.amqp();
  const connection = await connect(broker.url);
  await declareTopology(await connection.createChannel());
  // As a shell would take it apart: without its comment, its redirection and its quotes.
  const words: string[] = line.replace(/ +#.*$/, '').replace(/ > \S+$/, '').match(/'[^']*'|\S+/g) ?? []; // prettier-ignore
  const done = await weirDone(
    words.map((word) => word.replace(/^'|'$/g, '')),
    { env: { AMQP_URL: broker.url } },
  );
  await connection.close();
  await broker.remove();
  const missing = words.includes('show'); // there is no such letter here
  expect(done).toMatchObject({ code: missing ? 1 : 0, stderr: missing ? expect.stringContaining('no such dead letter') as string : '' }); // prettier-ignore
});

test('there are such lines', () => {
  expect(lines.length).toBeGreaterThan(7);
});
