import type { Message } from 'amqplib';
import { createAcknowledging } from './acknowledge';

const messages = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** What a broker would have acknowledged, by delivery tag, out of 1 to `delivered`. */
function channelOf(delivered: number) {
  const unacknowledged = new Set(messages(1, delivered));
  let frames = 0;
  const ack = ({ fields }: Message, allUpTo?: boolean) => {
    frames += 1;
    if (!unacknowledged.has(fields.deliveryTag)) throw new Error(`unknown delivery tag ${fields.deliveryTag}`);
    for (const tag of [...unacknowledged])
      if (tag === fields.deliveryTag || (allUpTo && tag < fields.deliveryTag)) unacknowledged.delete(tag);
  };
  return { ack, left: () => [...unacknowledged], frames: () => frames };
}

test('a batch is one frame', () => {
  const channel = channelOf(100);
  createAcknowledging(channel).acknowledge(messages(1, 100), new Set());
  expect([channel.left(), channel.frames()]).toEqual([[], 1]);
});

test('what is held is not acknowledged, by its own batch nor by a later one, until it is released', () => {
  const channel = channelOf(30);
  const acknowledging = createAcknowledging(channel);
  const [first, second] = [messages(1, 10), messages(11, 20)];
  const [held, alsoHeld] = [first[4], second[0]] as [number, number];
  acknowledging.acknowledge(first, new Set([held]));
  expect(channel.left().filter((tag) => tag <= 10)).toEqual([5]);
  acknowledging.acknowledge(second, new Set([alsoHeld]));
  expect(channel.left().filter((tag) => tag <= 20)).toEqual([5, 11]);
  acknowledging.release(held);
  expect(channel.left().filter((tag) => tag <= 20)).toEqual([11]);
  acknowledging.release(alsoHeld);
  acknowledging.acknowledge(messages(21, 30), new Set());
  expect(channel.left()).toEqual([]);
});

test('nothing is acknowledged twice, which would close the channel, whatever is held and released when', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    let state = seed;
    const chance = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const channel = channelOf(200);
    const acknowledging = createAcknowledging(channel);
    const holding: number[] = [];
    for (let from = 1; from <= 200;) {
      const to = Math.min(200, from + Math.floor(chance() * 30));
      const batch = messages(from, to);
      const held = new Set(batch.filter(() => chance() < 0.1));
      acknowledging.acknowledge(batch, held);
      holding.push(...held);
      while (holding.length > 0 && chance() < 0.3)
        acknowledging.release(holding.splice(Math.floor(chance() * holding.length), 1)[0] as number);
      expect(channel.left().filter((tag) => tag <= to)).toEqual(holding.sort((a, b) => a - b));
      from = to + 1;
    }
  }
});
