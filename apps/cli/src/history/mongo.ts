import { endpoint } from '../endpoints';
import { CliError, clean, exitCodes, type Io } from '../io';
import type { MinuteStore } from './minute-store';

const DAY_MS = 24 * 3600 * 1000;
const timeouts = { serverSelectionTimeoutMS: 5000, connectTimeoutMS: 5000, socketTimeoutMS: 120_000 };

/** The documents of the echo by minute. */
export async function openMongo(io: Io, option: string | undefined): Promise<MinuteStore> {
  const url = endpoint(io, { option, variable: 'MONGODB_URL', endpoint: 'mongodb', what: 'MongoDB' });
  const database = endpoint(io, { variable: 'MONGODB_DATABASE', endpoint: 'mongoDatabase', what: 'the database', fallback: 'weir' }); // prettier-ignore
  const collection = io.env['MONGODB_COLLECTION'] || 'events';
  const keptDays = Number(io.env['MONGODB_RETENTION_DAYS'] || 30);
  // Loaded when it is needed: every other command starts sooner without it.
  const { MongoClient } = await import('mongodb');
  const client = connectable(() => new MongoClient(url, { appName: 'weir-cli', ...timeouts }));
  const said = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: Error) => {
      const where = client.options.hosts.map(String).join(', ');
      throw new CliError(`MongoDB at ${where} cannot be read: ${clean(error.message)}`, exitCodes.unavailable);
    });
  await said(client.connect().then(() => client.db(database).command({ ping: 1 })));
  return {
    name: 'mongo',
    ...(keptDays > 0 ? { keptDays } : {}),
    async count(day) {
      const from = new Date(`${day}T00:00:00.000Z`);
      const stages = [
        { $match: { time: { $gte: from, $lt: new Date(from.getTime() + DAY_MS) } } },
        { $group: { _id: { $dateToString: { format: '%Y-%m-%dT%H:%M', date: '$time' } }, documents: { $sum: 1 } } },
      ];
      const groups = client.db(database).collection(collection).aggregate<{ _id: string; documents: number }>(stages);
      const found = await said(groups.toArray());
      return new Map(found.map(({ _id, documents }) => [_id, documents]));
    },
    close: () => client.close(),
  };
}

function connectable<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    const message = clean((error as Error).message.replace(/\/\/[^@/]*@/, '//***@'));
    throw new CliError(`the address of MongoDB is not understood: ${message}`, exitCodes.configuration);
  }
}
