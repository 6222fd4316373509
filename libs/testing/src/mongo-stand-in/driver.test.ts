/**
 * What Weir, its tests and a curious user's shell ask of MongoDB, through the official driver. Runs unchanged against a
 * real server when `WEIR_TEST_MONGODB_URL` or `MONGODB_URL` is given; what is the stand-in's own is in stand-in.test.ts.
 */
import { randomUUID } from 'node:crypto';
import { Binary, Decimal128, Double, Int32, Long, MongoClient, MongoServerError, ObjectId } from 'mongodb';
import type { Collection, Db, Document, MongoBulkWriteError } from 'mongodb';
import { startMongoStandIn, type MongoStandIn } from './index';

interface Item extends Document {
  _id: string | number | ObjectId | Int32 | Double | Long;
}

let standIn: MongoStandIn | undefined;
let client: MongoClient;
let db: Db;
let items: Collection<Item>;

beforeAll(async () => {
  const given = process.env['WEIR_TEST_MONGODB_URL'] || process.env['MONGODB_URL'];
  if (!given) standIn = await startMongoStandIn();
  client = await MongoClient.connect(given ?? standIn!.url, { serverSelectionTimeoutMS: 5_000 });
  db = client.db(`weir_test_${randomUUID().slice(0, 8)}`);
});

beforeEach(() => {
  items = db.collection(`items_${randomUUID().slice(0, 8)}`);
});

afterAll(async () => {
  await db?.dropDatabase();
  await client?.close();
  await standIn?.stop();
});

/** The error that a promise rejects with; fails when it does not reject. */
async function errorOf(promise: Promise<unknown>): Promise<MongoServerError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(MongoServerError);
  return outcome as MongoServerError;
}

describe('the server as a driver meets it', () => {
  test('answers ping and tells what it is', async () => {
    expect(await db.command({ ping: 1 })).toMatchObject({ ok: 1 });
    expect((await db.admin().buildInfo())['version']).toMatch(/^\d+\.\d+\.\d+/);
    expect(await db.command({ hello: 1 })).toMatchObject({
      isWritablePrimary: true,
      maxBsonObjectSize: 16 * 1024 * 1024,
    });
  });

  test('names a command that it does not know, with code 59', async () => {
    const error = await errorOf(db.command({ weirdCommand: 1 }));
    expect(error).toMatchObject({ code: 59, codeName: 'CommandNotFound' });
    expect(error.message).toContain("'weirdCommand'");
  });

  test('lists databases and collections, and drops them', async () => {
    const other = client.db(`${db.databaseName}_other`);
    await other.collection('a').insertOne({ x: 1 });
    await other.createCollection('b');
    expect((await other.listCollections().toArray()).map(({ name }) => name).sort()).toEqual(['a', 'b']);
    expect((await other.admin().listDatabases()).databases.map(({ name }) => name)).toContain(other.databaseName);
    expect((await errorOf(other.command({ create: 'b' }))).codeName).toBe('NamespaceExists');
    await other.dropCollection('a');
    expect((await other.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)).toEqual(['b']);
    await other.dropDatabase();
    expect(
      (await client.db().admin().listDatabases({ nameOnly: true })).databases.map(({ name }) => name),
    ).not.toContain(other.databaseName);
  });
});

describe('inserting', () => {
  test('makes an _id where there is none and puts it first', async () => {
    await db.command({ insert: items.collectionName, documents: [{ a: 1 }] });
    const [found] = await items.find().toArray();
    expect(Object.keys(found!)).toEqual(['_id', 'a']);
    expect(found!._id).toBeInstanceOf(ObjectId);
  });

  test('an ordered insert stops at a duplicate key, with its pattern and value', async () => {
    await items.insertOne({ _id: 'b' });
    const error = (await errorOf(items.insertMany([{ _id: 'a' }, { _id: 'b' }, { _id: 'c' }]))) as MongoBulkWriteError;
    expect(error).toMatchObject({ code: 11000, insertedCount: 1 });
    expect([error.writeErrors].flat().map(({ index, errmsg }) => [index, errmsg])).toEqual([
      [1, expect.stringContaining('index: _id_ dup key: { _id: "b" }')],
    ]);
    const single = await errorOf(items.insertOne({ _id: 'b' }));
    expect(single.errorResponse).toMatchObject({ keyPattern: { _id: 1 }, keyValue: { _id: 'b' } });
    expect(await items.countDocuments()).toBe(2);
  });

  test('an unordered insert reports every duplicate and stores the rest', async () => {
    await items.insertMany([{ _id: 1 }, { _id: 3 }], { ordered: false });
    const error = (await errorOf(
      items.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }, { _id: 4 }, { _id: 4 }], {
        ordered: false,
        writeConcern: { w: 'majority', journal: true },
      }),
    )) as MongoBulkWriteError;
    expect([error.writeErrors].flat().map(({ index, code }) => [index, code])).toEqual([
      [0, 11000],
      [2, 11000],
      [4, 11000],
    ]);
    expect(error.insertedCount).toBe(2);
    expect((await items.distinct('_id')).sort()).toEqual([1, 2, 3, 4]);
  });

  test('1, 1.0 and Long 1 are one _id; "1" is another', async () => {
    await items.insertOne({ _id: new Int32(1) });
    expect((await errorOf(items.insertOne({ _id: new Double(1) }))).code).toBe(11000);
    expect((await errorOf(items.insertOne({ _id: Long.fromNumber(1) }))).code).toBe(11000);
    await items.insertOne({ _id: '1' });
    expect(await items.countDocuments()).toBe(2);
  });

  test('gives every BSON type back as it came', async () => {
    const document = {
      _id: new ObjectId(),
      int: new Int32(7),
      double: new Double(7),
      long: Long.fromString('9007199254740993'),
      decimal: Decimal128.fromString('1.10'),
      date: new Date('2026-11-22T23:59:59.999Z'),
      binary: new Binary(Buffer.from([0, 1, 255])),
      text: 'Grüße \u{1F433}',
      nothing: null,
      yes: true,
      list: [1, [2, { three: 3 }]],
      nested: { 'a.b': 1, $set: { x: 1 }, $where: 'x', '': 2 },
    };
    await items.insertOne(document);
    expect(await items.findOne({ _id: document._id }, { promoteValues: false })).toMatchObject({
      int: document.int,
      double: document.double,
      long: document.long,
    });
    const plain = (await items.findOne({ _id: document._id })) as Document;
    expect(plain).toEqual({ ...document, int: 7, double: 7 });
    expect(Object.keys(plain)).toEqual(Object.keys(document));
  });

  test('refuses an array as _id, and a document that is nested too deep', async () => {
    expect((await errorOf(items.insertOne({ _id: [1] as never }))).codeName ?? 'InvalidIdField').toBe('InvalidIdField');
    const deep = (levels: number): Document => (levels === 0 ? {} : { d: deep(levels - 1) });
    await errorOf(items.insertMany([{ _id: 'deep', d: deep(250) }]));
    await items.insertOne({ _id: 'fine', d: deep(90) });
    expect(await items.distinct('_id')).toEqual(['fine']);
  });

  test('takes documents of up to 16 MB, one after the other and in one batch', async () => {
    const filler = 'x'.repeat(4 * 1024 * 1024);
    await items.insertMany(Array.from({ length: 14 }, (_, index) => ({ _id: index, filler })));
    await items.insertOne({ _id: 'large', filler: filler.repeat(3) + 'x'.repeat(4 * 1024 * 1024 - 200) });
    expect(await items.countDocuments()).toBe(15);
    const sizes = (await items.find().toArray()).map(({ filler: text }) => (text as string).length);
    expect(Math.max(...sizes)).toBe(16 * 1024 * 1024 - 200);
  });
});

describe('finding', () => {
  const people = [
    { _id: 'ann', age: 30, tags: ['a', 'b'], at: { city: 'Oslo' }, seen: new Date(3000) },
    { _id: 'bob', age: 20, tags: ['b'], at: { city: 'Bergen' }, seen: new Date(1000) },
    { _id: 'cat', age: 40, tags: [], at: { city: 'Oslo' }, seen: new Date(2000) },
  ];
  const ids = async (filter: Document, options = {}) =>
    (await items.find(filter, options).toArray()).map(({ _id }) => _id);
  beforeEach(() => items.insertMany(people));

  test('filters by equality, comparison, sets, paths, arrays, dates, patterns and logic', async () => {
    expect(await ids({ _id: 'bob' })).toEqual(['bob']);
    expect(await ids({ _id: { $in: ['ann', 'cat', 'nobody'] } })).toEqual(['ann', 'cat']);
    expect(await ids({ _id: { $in: ['ann', 'cat'] }, age: { $gt: 30 } })).toEqual(['cat']);
    expect(await ids({ age: { $gte: 30, $lt: 40 } })).toEqual(['ann']);
    expect(await ids({ 'at.city': 'Oslo' })).toEqual(['ann', 'cat']);
    expect(await ids({ tags: 'b' })).toEqual(['ann', 'bob']);
    expect(await ids({ tags: { $size: 0 } })).toEqual(['cat']);
    expect(await ids({ seen: { $gt: new Date(1500) } })).toEqual(['ann', 'cat']);
    expect(await ids({ _id: /^[ab]/ })).toEqual(['ann', 'bob']);
    expect(await ids({ $or: [{ age: 20 }, { 'at.city': 'Oslo', age: 40 }] })).toEqual(['bob', 'cat']);
    expect(await ids({ missing: { $exists: false }, _id: { $ne: 'bob' } })).toEqual(['ann', 'cat']);
  });

  test('sorts, skips, limits and projects', async () => {
    expect(await ids({}, { sort: { age: 1 } })).toEqual(['bob', 'ann', 'cat']);
    expect(await ids({}, { sort: { 'at.city': 1, age: -1 } })).toEqual(['bob', 'cat', 'ann']);
    expect(await ids({}, { sort: { seen: -1 }, skip: 1, limit: 1 })).toEqual(['cat']);
    expect(await ids({}, { limit: 2 })).toEqual(['ann', 'bob']);
    expect(await items.findOne({ _id: 'ann' }, { projection: { age: 1, _id: 0 } })).toEqual({ age: 30 });
    expect(await items.findOne({ _id: 'ann' }, { projection: { tags: 0, seen: 0 } })).toEqual({
      _id: 'ann',
      age: 30,
      at: { city: 'Oslo' },
    });
  });

  test('counts and gives distinct values', async () => {
    expect(await items.countDocuments({ 'at.city': 'Oslo' })).toBe(2);
    expect(await items.countDocuments({ 'at.city': 'Paris' })).toBe(0);
    expect(await items.estimatedDocumentCount()).toBe(3);
    expect((await items.distinct('tags')).sort()).toEqual(['a', 'b']);
    expect(await items.distinct('at.city', { age: { $gt: 20 } })).toEqual(['Oslo']);
  });

  test('a filter that makes no sense is the client’s error', async () => {
    expect((await errorOf(items.find({ age: { $nonsense: 1 } }).toArray())).code).toBe(2);
    expect((await errorOf(items.find({ $nonsense: 1 } as Document).toArray())).code).toBe(2);
  });

  test('aggregates: match, group, sort, project, unwind, count, lookup', async () => {
    const byCity = [
      { $group: { _id: '$at.city', people: { $sum: 1 }, oldest: { $max: '$age' } } },
      { $sort: { _id: 1 } },
    ];
    expect(await items.aggregate(byCity).toArray()).toEqual([
      { _id: 'Bergen', people: 1, oldest: 20 },
      { _id: 'Oslo', people: 2, oldest: 40 },
    ]);
    expect(await items.aggregate([{ $match: { age: { $gt: 25 } } }, { $count: 'n' }]).toArray()).toEqual([{ n: 2 }]);
    const tags = [{ $unwind: '$tags' }, { $sort: { _id: 1, tags: 1 } }, { $project: { tag: '$tags' } }];
    expect(await items.aggregate(tags).toArray()).toEqual([
      { _id: 'ann', tag: 'a' },
      { _id: 'ann', tag: 'b' },
      { _id: 'bob', tag: 'b' },
    ]);
    const joined = [
      { $match: { _id: 'bob' } },
      { $lookup: { from: items.collectionName, localField: 'tags', foreignField: 'tags', as: 'alike' } },
      { $project: { alike: '$alike._id' } },
    ];
    expect(await items.aggregate(joined).toArray()).toEqual([{ _id: 'bob', alike: ['ann', 'bob'] }]);
  });

  test('a cursor gives all of many documents, batch by batch, and can be closed early', async () => {
    const many = db.collection<{ _id: number }>(`many_${randomUUID().slice(0, 8)}`);
    await many.insertMany(Array.from({ length: 1_000 }, (_, index) => ({ _id: index })));
    expect((await many.find().toArray()).map(({ _id }) => _id)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => index),
    );
    expect(await many.find({}, { batchSize: 7, sort: { _id: -1 }, limit: 20 }).toArray()).toHaveLength(20);
    expect(await many.aggregate([{ $match: { _id: { $lt: 500 } } }], { batchSize: 50 }).toArray()).toHaveLength(500);
    const cursor = many.find({}, { batchSize: 10 });
    await cursor.next();
    const { id } = cursor;
    await cursor.close();
    expect((await errorOf(db.command({ getMore: id, collection: many.collectionName }))).codeName).toBe(
      'CursorNotFound',
    );
  });
});

describe('changing', () => {
  beforeEach(() =>
    items.insertMany([
      { _id: 1, n: 1, list: [1, 2] },
      { _id: 2, n: 5 },
      { _id: 3, n: 5 },
    ]),
  );

  test('updates one and many, and tells what matched and what changed', async () => {
    expect(await items.updateOne({ n: 5 }, { $set: { 'a.b': 1 }, $inc: { n: 2 } })).toMatchObject({
      matchedCount: 1,
      modifiedCount: 1,
    });
    expect(await items.findOne({ _id: 2 })).toEqual({ _id: 2, n: 7, a: { b: 1 } });
    expect(await items.updateMany({}, { $set: { n: 5 } })).toMatchObject({ matchedCount: 3, modifiedCount: 2 });
    expect(await items.updateOne({ _id: 1 }, { $push: { list: 3 } as never, $unset: { n: '' } })).toMatchObject({
      modifiedCount: 1,
    });
    expect(await items.findOne({ _id: 1 })).toEqual({ _id: 1, list: [1, 2, 3] });
  });

  test('replaces, and upserts what is not there', async () => {
    await items.replaceOne({ _id: 1 }, { other: true });
    expect(await items.findOne({ _id: 1 })).toEqual({ _id: 1, other: true });
    const result = await items.updateOne(
      { _id: 9, kind: 'new' },
      { $set: { n: 1 }, $setOnInsert: { born: 1 } },
      { upsert: true },
    );
    expect(result).toMatchObject({ matchedCount: 0, upsertedCount: 1, upsertedId: 9 });
    expect(await items.findOne({ _id: 9 })).toEqual({ _id: 9, kind: 'new', n: 1, born: 1 });
    await items.updateOne({ _id: 9 }, { $set: { n: 2 }, $setOnInsert: { born: 2 } }, { upsert: true });
    expect(await items.findOne({ _id: 9 })).toEqual({ _id: 9, kind: 'new', n: 2, born: 1 });
  });

  test('refuses to change an _id', async () => {
    expect((await errorOf(items.updateOne({ _id: 1 }, { $set: { _id: 2 } }))).code).toBe(66);
  });

  test('deletes one and many', async () => {
    expect(await items.deleteOne({ n: 5 })).toMatchObject({ deletedCount: 1 });
    expect(await items.deleteMany({})).toMatchObject({ deletedCount: 2 });
    expect(await items.countDocuments()).toBe(0);
  });

  test('counts right when many clients increment at once', async () => {
    await Promise.all(
      Array.from({ length: 50 }, () =>
        items
          .updateOne({ _id: 'counter' }, { $inc: { n: 1 } }, { upsert: true })
          .catch(() => items.updateOne({ _id: 'counter' }, { $inc: { n: 1 } })),
      ),
    );
    expect(await items.findOne({ _id: 'counter' })).toEqual({ _id: 'counter', n: 50 });
  });
});

describe('indexes', () => {
  test('a unique index refuses a second value, on insert and on update', async () => {
    await items.createIndex({ email: 1 }, { unique: true, sparse: true });
    await items.insertMany([{ _id: 1, email: 'a' }, { _id: 2, email: 'b' }, { _id: 3 }, { _id: 4 }]);
    expect(await errorOf(items.insertOne({ _id: 5, email: 'a' }))).toMatchObject({
      code: 11000,
      keyPattern: { email: 1 },
      keyValue: { email: 'a' },
    });
    expect((await errorOf(items.updateOne({ _id: 2 }, { $set: { email: 'a' } }))).code).toBe(11000);
    await items.deleteOne({ _id: 1 });
    await items.updateOne({ _id: 2 }, { $set: { email: 'a' } });
    expect((await errorOf(items.createIndex({ missing: 1 }, { unique: true }))).code).toBe(11000);
  });

  test('are listed, made once, refused when different, changed by collMod and dropped', async () => {
    const ttl = { expireAfterSeconds: 3600 };
    expect(await items.createIndex({ at: 1 }, ttl)).toBe('at_1');
    expect(await items.createIndex({ at: 1 }, ttl)).toBe('at_1');
    expect((await errorOf(items.createIndex({ at: 1 }, { expireAfterSeconds: 60 }))).codeName).toBe(
      'IndexOptionsConflict',
    );
    await db.command({ collMod: items.collectionName, index: { keyPattern: { at: 1 }, expireAfterSeconds: 60 } });
    expect(await items.listIndexes().toArray()).toMatchObject([
      { name: '_id_', key: { _id: 1 } },
      { name: 'at_1', key: { at: 1 }, expireAfterSeconds: 60 },
    ]);
    await items.dropIndex('at_1');
    expect(await items.indexes()).toHaveLength(1);
    expect((await errorOf(items.dropIndex('at_1'))).codeName).toBe('IndexNotFound');
    expect((await errorOf(db.collection('nowhere').listIndexes().toArray())).codeName).toBe('NamespaceNotFound');
  });
});
