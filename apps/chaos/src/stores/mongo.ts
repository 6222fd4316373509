import { MongoClient } from 'mongodb';

/** What the oracle reads of MongoDB, past every proxy. */
export interface Documents {
  /** `event.source` → how many documents carry it. */
  counts(): Promise<Map<string, number>>;
  count(source: string): Promise<number>;
  total(): Promise<number>;
  /** The `event` of every document of this source. */
  of(source: string): AsyncIterable<Record<string, unknown>>;
  close(): Promise<void>;
}

export function readDocuments(url: string, database: string): Documents {
  const client = new MongoClient(url, {
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
    socketTimeoutMS: 60_000,
  });
  const events = client.db(database).collection('events');
  return {
    async counts() {
      const groups = events.aggregate<{ _id: string; n: number }>([
        { $group: { _id: '$event.source', n: { $sum: 1 } } },
      ]);
      return new Map((await groups.toArray()).map(({ _id, n }) => [_id, n]));
    },
    count: (source) => events.countDocuments({ 'event.source': source }),
    total: () => events.estimatedDocumentCount(),
    async *of(source) {
      for await (const document of events.find({ 'event.source': source })) {
        yield document['event'] as Record<string, unknown>;
      }
    },
    close: () => client.close(),
  };
}
