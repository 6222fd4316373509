import { declareOn, HISTORY, queueOf } from '@weir/bus';
import { startRabbitmq, temporaryDirectory, type PrivateRabbitmq } from '@weir/testing';
import { connect } from 'amqplib';
import { weirDone } from './io.test-support';

// A broker that knows of a queue and cannot reach it, as of one whose only node is down. Here the entry of the table of
// queues that run is taken away, which is what RabbitMQ does itself then; libs/bus plays it with three nodes.

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let broker: PrivateRabbitmq;

beforeAll(async () => {
  dir = await temporaryDirectory();
  broker = await startRabbitmq({ dir: `${dir.path}/rabbitmq` });
  const connection = await connect(broker.url);
  await declareOn(connection);
  await connection.close();
}, 300_000);
afterAll(async () => {
  await broker.stop();
  await dir.remove();
}, 60_000);

const hide = (queue: string) =>
  broker.evaluate(`mnesia:dirty_delete(rabbit_queue, rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)).`);

test('weir topology tells a queue that the broker cannot reach from one that is missing; the rest is declared', async () => {
  await hide(HISTORY);
  const env = { AMQP_URL: broker.url };
  for (const args of [['topology'], ['topology', '--declare']]) {
    const { code, stdout } = await weirDone(args, { env });
    const { ok, items } = JSON.parse(stdout) as { ok: boolean; items: { name: string; state: string; why?: string }[] };
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(items.filter(({ state }) => state !== 'ok' && state !== 'unseen')).toEqual([
      {
        what: 'queue',
        name: HISTORY,
        state: 'unavailable',
        why: expect.stringMatching(/^home node .* is down or inaccessible$/) as string,
      },
    ]);
  }
  const publish = () => weirDone(['publish', 'view', '-d', '{}'], { env });
  expect(await publish()).toMatchObject({ code: 0 });
  // Past the queue of a counter an event would be confirmed, and be counted nowhere.
  await hide(queueOf('redis'));
  expect(await publish()).toMatchObject({ code: 69, stderr: expect.stringContaining('weir.redis') as string });
});
