import { identityKey, type WeirEvent } from '@weir/events';
import { MongoClient, type Document } from 'mongodb';
import type { Case } from '../case';
import { openQueue, pullInOrder, rowsOfWorker, withWarmUp, type Drain } from '../drain';
import { inTurn, perSecond } from '../measure';
import { atLeast, compared } from '../row';

const EVENTS = 60_000;
const AT_ONCE = 1000;
const writeConcern = { w: 'majority', journal: true } as const;

/** How fast a queue becomes documents that a majority has in its journal. */
export const mongoWorker: Case = {
  name: 'mongo-worker',
  async run(bench) {
    const queue = await openQueue(bench, 'mongo');
    const mongodb = await bench.servers.mongodb();
    const client = await MongoClient.connect(mongodb.url);
    bench.onEnd(() => client.close());
    const drains: Drain[] = [];

    const bare = async (): Promise<number> => {
      const events = client.db('bare').collection<Document & { _id: string }>('events', { writeConcern });
      await events.createIndex({ receivedAt: 1 }, { expireAfterSeconds: 30 * 86_400 });
      const batches = Array.from({ length: EVENTS / AT_ONCE }, (_, batch) =>
        Array.from({ length: AT_ONCE }, (_document, n) => echoOf(pullInOrder(batch * AT_ONCE + n))),
      );
      const rate = await perSecond(EVENTS, async () => {
        for (const batch of batches) await events.insertMany(batch, { ordered: false });
      });
      await client.db('bare').dropDatabase();
      return rate;
    };
    const worker = async (): Promise<number> => {
      const app = await bench.app('mongo-worker', {
        AMQP_URL: queue.amqp,
        MONGODB_URL: mongodb.url,
        MONGODB_DATABASE: 'worker',
      });
      const drained = await queue.drain(app, EVENTS);
      const stored = await client.db('worker').collection('events').countDocuments();
      if (stored !== withWarmUp(EVENTS)) throw new Error(`${stored} documents are there of ${withWarmUp(EVENTS)}`);
      await client.db('worker').dropDatabase();
      drains.push(drained);
      return drained.rate;
    };

    const rates = await inTurn(bench.rounds, { bare, worker }, bench.progress);
    const standIn = mongodb.found === 'stand-in';
    return [
      compared({
        name: `mongo-worker: drain of pulls, against bare insertMany of 1,000 prebuilt documents${standIn ? ' (stand-in for MongoDB)' : ''}`,
        unit: 'events/s',
        value: rates.worker,
        limit: rates.bare,
        target: atLeast(0.6),
        note: `one insert after the other, of the same documents and write concern${standIn ? '; no MongoDB is here: both sides use the stand-in, which is no database' : ''}`,
      }),
      ...rowsOfWorker('mongo-worker', drains),
    ];
  },
};

/** The document that the worker makes of an event. */
function echoOf(event: WeirEvent): Document & { _id: string } {
  const { type, source, time } = event;
  return { _id: identityKey(event), receivedAt: new Date(), time: new Date(time), type, source, event };
}
