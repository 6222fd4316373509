/** The commands that read: find, getMore, killCursors, count, distinct, aggregate. */
import { deserialize, Long, serialize } from 'bson';
import type { Collection } from './collections';
import type { Command, Context } from './commands';
import { CommandError } from './errors';
import { namespaceIn, object, objects, whole } from './fields';
import { aggregated, projected, shaped } from './query';
import { keyOf, valuesAt } from './values';
import type { Document } from './wire';

const firstBatchSize = 101;

const find: Command = ({ body }, { store, cursors }) => {
  const namespace = namespaceIn(body, 'find');
  for (const option of ['tailable', 'awaitData', 'min', 'max', 'returnKey']) {
    if (body[option]) throw new CommandError(2, `this stand-in for MongoDB has no find option '${option}'`);
  }
  const collection = store.collection(namespace);
  const documents = collection ? foundBy(collection, body) : [];
  return cursors.open(namespace, documents, {
    size: whole(body, 'batchSize', firstBatchSize),
    single: Boolean(body['singleBatch']),
  });
};

/** The bytes that a find answers with: the stored ones, unless a projection makes new documents. */
function foundBy(collection: Collection, body: Document): Buffer[] {
  const filter = object(body, 'filter');
  const sort = object(body, 'sort');
  const projection = object(body, 'projection');
  const skip = whole(body, 'skip', 0);
  const limit = whole(body, 'limit', 0);
  const isPlain = Object.keys(sort).length === 0 && Object.keys(projection).length === 0;
  if (isPlain && Object.keys(filter).length === 0)
    return [...collection.raws()].slice(skip, limit ? skip + limit : undefined);

  const most = isPlain && limit ? skip + limit : Infinity;
  const found = collection.find(filter, most);
  const rawOf = new Map(found.map(({ document, raw }) => [document, raw]));
  const documents = shaped([...rawOf.keys()], { sort, skip, limit });
  if (Object.keys(projection).length === 0) return documents.map((document) => rawOf.get(document)!);
  return projected(documents, projection).map(bytesOf);
}

const getMore: Command = ({ body }, { cursors }) =>
  cursors.more(cursorId(body['getMore']), namespaceIn(body, 'collection'), whole(body, 'batchSize', 0) || Infinity);

const killCursors: Command = ({ body }, { cursors }) => {
  const asked = Array.isArray(body['cursors']) ? (body['cursors'] as unknown[]) : [];
  const killed = asked.filter((id) => cursors.kill(cursorId(id)));
  const long = (ids: unknown[]) => ids.map((id) => Long.fromNumber(cursorId(id)));
  const notFound = asked.filter((id) => !killed.includes(id));
  return { cursorsKilled: long(killed), cursorsNotFound: long(notFound), cursorsAlive: [], cursorsUnknown: [] };
};

const count: Command = ({ body }, { store }) => {
  const collection = store.collection(namespaceIn(body, 'count'));
  const all = collection ? countOf(collection, object(body, 'query')) : 0;
  const left = Math.max(0, all - whole(body, 'skip', 0));
  return { n: Math.min(left, whole(body, 'limit', 0) || left) };
};

const distinct: Command = ({ body }, { store }) => {
  const path = body['key'];
  if (typeof path !== 'string') throw new CommandError(14, "field 'key' must be a string");
  const found = store.collection(namespaceIn(body, 'distinct'))?.find(object(body, 'query')) ?? [];
  const values = found.flatMap(({ document }) => valuesAt(document, path)).filter((value) => value !== undefined);
  return { values: [...new Map(values.map((value) => [keyOf(value), value])).values()] };
};

const aggregate: Command = ({ body }, { store, cursors }) => {
  const namespace = namespaceIn(body, 'aggregate');
  if (body['explain']) throw new CommandError(59, 'this stand-in for MongoDB does not explain');
  const results = resultsOf(namespace, objects(body, 'pipeline'), store);
  return cursors.open(namespace, results.map(bytesOf), {
    size: whole(object(body, 'cursor'), 'batchSize', firstBatchSize),
  });
};

function resultsOf(namespace: string, pipeline: Document[], store: Context['store']): Document[] {
  const collection = store.collection(namespace);
  // The first $match is the collection's work: it looks up `_id`s. Counting needs no documents at all.
  const [first, ...others] = pipeline;
  const filter = first && '$match' in first ? object(first, '$match') : {};
  const stages = first && '$match' in first ? others : pipeline;
  if (collection && stages.length === 1 && isCountStage(stages[0]!)) {
    const n = countOf(collection, filter);
    return n === 0 ? [] : [{ _id: 1, n }];
  }
  const documents = collection?.find(filter).map(({ document }) => document) ?? [];
  const database = namespace.slice(0, namespace.indexOf('.'));
  const otherCollection = (name: string) =>
    [...(store.collection(`${database}.${name}`)?.raws() ?? [])].map((raw) => deserialize(raw));
  return aggregated(documents, stages, otherCollection);
}

/** `{ $group: { _id: 1, n: { $sum: 1 } } }`: what the drivers' countDocuments sends. */
function isCountStage(stage: Document): boolean {
  return JSON.stringify(stage) === '{"$group":{"_id":1,"n":{"$sum":1}}}';
}

function countOf(collection: Collection, filter: Document): number {
  return Object.keys(filter).length === 0 ? collection.size : collection.find(filter).length;
}

function cursorId(value: unknown): number {
  return Long.isLong(value) ? value.toNumber() : Number(value);
}

const bytesOf = (document: Document): Buffer => Buffer.from(serialize(document));

export const reads = { find, getMore, killCursors, count, distinct, aggregate } satisfies Record<string, Command>;
