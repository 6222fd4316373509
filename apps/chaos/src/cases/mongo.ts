import { MongoClient } from 'mongodb';
import type { Case, World } from '../case';

/** What a replica set does to its clients when its primary steps down: F46. */

/**
 * One after the other, each so often. The server's numbers (src/mongo/base/error_codes.yml): 189 PrimarySteppedDown,
 * 10107 NotWritablePrimary, 11602 InterruptedDueToReplStateChange, 91 ShutdownInProgress.
 */
const FAILURES: readonly { what: string; times: number; data: Record<string, unknown> }[] = [
  { what: 'PrimarySteppedDown', times: 4, data: { errorCode: 189 } },
  { what: 'NotWritablePrimary', times: 4, data: { errorCode: 10107 } },
  { what: 'InterruptedDueToReplStateChange', times: 4, data: { errorCode: 11602 } },
  // Stored by the old primary, not yet by a majority: it may be gone, or not.
  {
    what: 'stored, then PrimarySteppedDown',
    times: 4,
    data: { writeConcernError: { code: 189, codeName: 'PrimarySteppedDown', errmsg: 'stepped down' } },
  },
  { what: 'connection closed', times: 4, data: { closeConnection: true } },
  { what: 'ShutdownInProgress', times: 4, data: { errorCode: 91 } },
];

async function withFailPoints({ system }: World, work: (fail: (body: object) => Promise<unknown>) => Promise<void>) {
  const client = new MongoClient(system.direct.mongodb, { directConnection: true, serverSelectionTimeoutMS: 5_000 });
  try {
    await work((body) => client.db('admin').command({ configureFailPoint: 'failCommand', ...body }));
  } finally {
    await client.close();
  }
}

export const mongoCases: readonly Case[] = [
  {
    id: 'F46',
    title: "MongoDB's primary steps down in the middle of inserts (fail points of the stand-in, not a replica set)",
    system: 'shared',
    async play(world) {
      const worker = world.app('mongo-worker');
      const retries = async () => (await worker.metric('weir_worker_retries_total')) ?? 0;
      world.load();
      world.watchLag(['redis', 'influx']);
      await world.pause(1_000);
      await withFailPoints(world, async (fail) => {
        for (const { what, times, data } of FAILURES) {
          world.log(what);
          const before = await retries();
          await fail({ mode: { times }, data: { failCommands: ['insert'], ...data } });
          const tried = async () => (await retries()) >= before + times;
          await world.until(`the worker tries again after: ${what}`, tried, 60_000);
        }
        await fail({ mode: 'off' });
        world.system.mended();
      });
    },
  },
];
