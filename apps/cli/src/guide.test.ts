import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { declareTopology } from '@weir/bus';
import { isolated, type Isolated } from '@weir/testing';
import { connect } from 'amqplib';
import { weirDone } from './io.test-support';

/** Every command line of the guide for operators, as it is written there, on a broker where nothing has happened yet. */
const guide = readFileSync(join(__dirname, '../../../docs/operations.md'), 'utf8');
const lines = [...new Set([...guide.matchAll(/^ *npx weir ([^\n]*)$/gm)].map(([, line]) => (line ?? '').trim()))];

let broker: Isolated;
beforeAll(async () => {
  broker = await isolated.amqp();
  const connection = await connect(broker.url);
  await declareTopology(await connection.createChannel());
  await connection.close();
});
afterAll(() => broker.remove());

/** As a shell would take it apart: without its comment, its redirection and its quotes. */
function words(line: string): string[] {
  const bare = line.replace(/ +#.*$/, '').replace(/ > \S+$/, '');
  return (bare.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'|'$/g, ''));
}

test.each(lines.filter((line) => /^(dead-letters|topology)/.test(line)))('weir %s', async (line) => {
  const { code, stderr } = await weirDone(words(line), { env: { AMQP_URL: broker.url } });
  if (line.includes('show'))
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('no such dead letter') as string }); // prettier-ignore
  else expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test.each(lines.filter((line) => /^replay/.test(line)))('weir %s', async (line) => {
  const { code, stdout } = await weirDone(words(line), { env: { AMQP_URL: broker.url } });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ events: 0 });
});

// They need stores, which the tests of these commands have; here, that they are understood.
test.each(lines.filter((line) => /^(verify|rebuild)/.test(line)))('weir %s', async (line) => {
  const { code, stderr } = await weirDone(words(line), { env: { AMQP_URL: broker.url } });
  expect({ code, stderr }).toMatchObject({ code: 78, stderr: expect.stringContaining('no address of Redis') as string }); // prettier-ignore
});

test('there is no other line', () => {
  expect(lines.filter((line) => !/^(dead-letters|topology|replay|verify|rebuild)\b/.test(line))).toEqual([]);
  expect(lines.length).toBeGreaterThan(12);
});
