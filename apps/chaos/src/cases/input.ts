import { connect } from 'amqplib';
import type { Case, World } from '../case';
import type { SentEvent } from '../events';

/** What comes in is not as it should be: F25, F33, F44, F45, F47, F55, F57. */

const DEAD = ['weir.dead.redis', 'weir.dead.influx', 'weir.dead.mongo'];

/** Puts bodies straight onto the exchange, as anybody with the password can, and resolves when they are confirmed. */
async function publishRaw(world: World, bodies: readonly Buffer[]): Promise<void> {
  const connection = await connect(world.system.direct.amqp);
  const channel = await connection.createConfirmChannel();
  for (const [at, body] of bodies.entries()) {
    channel.publish('weir.events', '', body, { persistent: true, messageId: `raw-${at}` });
  }
  await channel.waitForConfirms();
  await channel.close();
  await connection.close();
}

async function deadLetters(world: World): Promise<number[]> {
  const connection = await connect(world.system.direct.amqp);
  const channel = await connection.createChannel();
  const counts: number[] = [];
  for (const queue of DEAD) counts.push((await channel.checkQueue(queue)).messageCount);
  await connection.close();
  return counts;
}

/** These must come to rest among the dead letters of every worker while everything else goes on. */
async function expectParked(world: World, bodies: readonly Buffer[]): Promise<void> {
  const before = await deadLetters(world);
  await publishRaw(world, bodies);
  await world.until(`${bodies.length} dead letters for each worker`, async () =>
    (await deadLetters(world)).every((count, at) => count === (before[at] ?? 0) + bodies.length),
  );
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

async function postAll(world: World, name: string, count: number, change: (event: SentEvent) => SentEvent) {
  const stream = world.stream(name, change);
  for (let sent = 0; sent < count; sent += 100) {
    const events = Array.from({ length: Math.min(100, count - sent) }, () => stream.issue());
    const { taken, status } = await world.http.post(events);
    if (taken.length !== events.length) throw new Error(`POST /events of ${name} answers ${status}`);
    for (const event of taken) stream.acknowledge(event);
  }
  return stream;
}

export const inputCases: readonly Case[] = [
  {
    id: 'F25',
    title: 'poison on the exchange: no JSON, no event, another type of value, too deep, too large',
    system: 'shared',
    async play(world) {
      world.load();
      const [sound] = [world.stream('model').event(0)];
      await expectParked(world, [
        Buffer.from('{"specversion":'),
        Buffer.from([0xff, 0xfe, 0x00]),
        json(42),
        json(null),
        json([sound]),
        json({ ...sound, id: '' }),
        json({ ...sound, time: 'yesterday' }),
        json({ ...sound, data: 'text' }),
        json({ ...sound, type: 7 }),
        Buffer.from(JSON.stringify(sound).replace('"data":{', `"data":{"deep":${'['.repeat(200)}${']'.repeat(200)},`)),
        json({ ...sound, data: { note: 'x'.repeat(100_000) } }),
      ]);
      await world.pause(1_000);
    },
  },
  {
    id: 'F33',
    title: 'the same identity again with another payload: the first stands',
    system: 'shared',
    async play(world) {
      const stream = await postAll(world, 'first', 300, (event) => event);
      const arrived = async () =>
        (await world.stores.influx.count(stream.source)) === 300 &&
        (await world.stores.mongo.count(stream.source)) === 300;
      await world.until('the first ones are stored', arrived);
      for (let number = 0; number < 300; number += 1) {
        const first = stream.event(number);
        const data = { ...first.data, platform: 'linux/s390x', user: { organization: 'thief.example' }, bytes: 1 };
        const second: SentEvent = { ...first, data };
        if (number % 2 === 0) await world.amqp.publish(second);
        else await world.http.post([second]); // taken or refused, but never stored in the first one's place
      }
    },
  },
  {
    id: 'F44',
    title: 'ten thousand events of one series in one millisecond',
    system: 'shared',
    async play(world) {
      const time = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000).toISOString();
      const data = {
        repository: 'same/app',
        tag: '1',
        platform: 'linux/amd64',
        user: { organization: 'same.example' },
      };
      await postAll(world, 'same-series', 10_000, (event) => ({ ...event, type: 'io.weir.pull', time, data }));
    },
  },
  {
    id: 'F45',
    title: 'times that a store cannot hold, or that cannot be: refused at the edge, parked where there was none',
    system: 'shared',
    async play(world) {
      const stream = world.stream('odd-times');
      const { data } = stream.event(0);
      const at = (time: string): SentEvent => ({ ...stream.issue(), type: 'io.weir.pull', time, data });
      const tomorrowAndMore = new Date(Date.now() + 30 * 86_400_000).toISOString();
      for (const time of [
        tomorrowAndMore,
        '9999-12-31T23:59:59.999Z',
        '2024-02-30T00:00:00Z',
        '-000001-01-01T00:00:00Z',
      ]) {
        const { taken, status } = await world.http.post([at(time)]);
        if (taken.length > 0 || status < 400 || status >= 500) throw new Error(`an event of ${time} got ${status}`);
      }
      await expectParked(world, [json(at('2024-02-30T00:00:00Z')), json(at('-000001-01-01T00:00:00Z'))]);
      world.load();
      await world.pause(2_000);
    },
  },
  {
    id: 'F47',
    title: 'payloads full of operators, dots and depth; deeper than a document may be is refused',
    system: 'shared',
    async play(world) {
      const deep = (levels: number): unknown => (levels === 0 ? 'end' : { next: deep(levels - 1) });
      const hostile = {
        $set: { 'a.b': 1 },
        'event._id': { $ne: null },
        $where: 'sleep(1000)',
        '': 'empty',
        constructor: { prototype: { polluted: true } },
        deep: deep(20),
      };
      await postAll(world, 'hostile', 500, (event) => ({ ...event, data: { ...event.data, ...hostile } }));
      const tooDeep = world.stream('too-deep', (event) => ({ ...event, data: { ...event.data, deep: deep(150) } }));
      const { taken, status } = await world.http.post([tooDeep.issue()]);
      if (taken.length > 0 || status < 400 || status >= 500) throw new Error(`a depth of 150 got ${status}`);
    },
  },
  {
    id: 'F57',
    title: 'events of older and newer writers mixed; an unknown major version is parked',
    system: 'shared',
    async play(world) {
      const newer = (event: SentEvent, number: number): SentEvent =>
        number % 2 === 0
          ? event
          : ({ ...event, traceparent: '00-ab-cd-01', dataschema: 'https://example.com/pull/v9', data: { ...event.data, novelty: [1, { a: 2 }] } } as SentEvent); // prettier-ignore
      const mixed = world.stream('mixed', newer);
      for (let round = 0; round < 20; round += 1) {
        const events = Array.from({ length: 25 }, () => mixed.issue());
        for (const event of (await world.http.post(events)).taken) mixed.acknowledge(event);
      }
      const [model] = [world.stream('model').event(0)];
      await expectParked(world, [json({ ...model, specversion: '2.0' }), json({ ...model, specversion: undefined })]);
    },
  },
];
