/** The commands about databases, collections and indexes. */
import { serialize } from 'bson';
import { type Collection, idIndex } from './collections';
import type { Command } from './commands';
import { CommandError } from './errors';
import { databaseIn, namespaceIn, object, objects, whole } from './fields';
import { type IndexSpec, readIndexSpec } from './indexes';
import { matcherOf } from './query';
import type { Document } from './wire';

const bytesOf = (document: Document): Buffer => Buffer.from(serialize(document));
const sameKey = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const specsOf = (collection: Collection): IndexSpec[] => [
  idIndex,
  ...[...collection.indexes.values()].map(({ spec }) => spec),
];

const listDatabases: Command = ({ body }, { store }) => {
  const all = store.databases().map((name) => {
    const sizeOnDisk = store
      .collections(name)
      .reduce((sum, { raws }) => sum + [...raws()].reduce((bytes, raw) => bytes + raw.length, 0), 0);
    return { name, sizeOnDisk, empty: sizeOnDisk === 0 };
  });
  const databases = all.filter(matcherOf(object(body, 'filter')));
  if (body['nameOnly']) return { databases: databases.map(({ name }) => ({ name })) };
  return { databases, totalSize: databases.reduce((sum, { sizeOnDisk }) => sum + sizeOnDisk, 0) };
};

const listCollections: Command = ({ body }, { store, cursors }) => {
  const database = databaseIn(body);
  const all = store
    .collections(database)
    .map(({ name }) => ({ name, type: 'collection', options: {}, info: { readOnly: false }, idIndex }));
  const matching = all.filter(matcherOf(object(body, 'filter')));
  const shown = body['nameOnly'] ? matching.map(({ name, type }) => ({ name, type })) : matching;
  return cursors.open(`${database}.$cmd.listCollections`, shown.map(bytesOf), { size: Infinity, single: true });
};

const create: Command = ({ body }, { store }) => {
  const namespace = namespaceIn(body, 'create');
  for (const option of ['capped', 'timeseries', 'viewOn', 'validator', 'clusteredIndex', 'collation']) {
    if (body[option]) throw new CommandError(72, `this stand-in for MongoDB has no collection option '${option}'`);
  }
  if (store.collection(namespace)) throw new CommandError(48, `Collection ${namespace} already exists.`);
  store.ensure(namespace);
  return {};
};

const drop: Command = ({ body }, { store }) => {
  const namespace = namespaceIn(body, 'drop');
  store.drop(namespace);
  return { ns: namespace };
};

const dropDatabase: Command = ({ body }, { store }) => {
  const database = databaseIn(body);
  for (const { namespace } of store.collections(database)) store.drop(namespace);
  return { dropped: database };
};

const createIndexes: Command = ({ body }, { store }) => {
  const specs = objects(body, 'indexes').map(readIndexSpec);
  const collection = store.ensure(namespaceIn(body, 'createIndexes'));
  const numIndexesBefore = specsOf(collection).length;
  for (const spec of specs) if (!isThere(collection, spec)) collection.addIndex(spec);
  const numIndexesAfter = specsOf(collection).length;
  const note = numIndexesAfter === numIndexesBefore ? { note: 'all indexes already exist' } : {};
  return { numIndexesBefore, numIndexesAfter, createdCollectionAutomatically: false, ...note };
};

/** Whether the very index exists. Throws when there is another one under its name or with its key. */
function isThere(collection: Collection, spec: IndexSpec): boolean {
  const options = ({ unique = false, sparse = false, expireAfterSeconds, partialFilterExpression }: IndexSpec) =>
    JSON.stringify([Boolean(unique), Boolean(sparse), expireAfterSeconds, partialFilterExpression]);
  for (const other of specsOf(collection)) {
    const hasKey = sameKey(other.key, spec.key);
    if (hasKey && (sameKey(other.key, idIndex.key) || (other.name === spec.name && options(other) === options(spec))))
      return true;
    if (hasKey) {
      throw new CommandError(
        85,
        `An equivalent index already exists with a different name or options: ${JSON.stringify(other)}`,
      );
    }
    if (other.name === spec.name) {
      throw new CommandError(
        86,
        `An existing index has the same name as the requested index: ${JSON.stringify(other)}`,
      );
    }
  }
  return false;
}

const listIndexes: Command = ({ body }, { store, cursors }) => {
  const namespace = namespaceIn(body, 'listIndexes');
  const collection = store.collection(namespace);
  if (!collection) throw new CommandError(26, `ns does not exist: ${namespace}`);
  const specs = specsOf(collection).map(bytesOf);
  return cursors.open(namespace, specs, { size: whole(object(body, 'cursor'), 'batchSize', specs.length) });
};

const dropIndexes: Command = ({ body }, { store }) => {
  const namespace = namespaceIn(body, 'dropIndexes');
  const collection = store.collection(namespace);
  if (!collection) throw new CommandError(26, `ns not found ${namespace}`);
  const nIndexesWas = specsOf(collection).length;
  const wanted = body['index'];
  const names =
    wanted === '*'
      ? [...collection.indexes.keys()]
      : (Array.isArray(wanted) ? wanted : [wanted]).map((each) => indexIn(collection, each));
  for (const name of names) {
    if (name === idIndex.name) throw new CommandError(72, 'cannot drop _id index');
    collection.dropIndex(name);
  }
  return { nIndexesWas };
};

/** The name of the index that is asked for by its name or its key. */
function indexIn(collection: Collection, wanted: unknown): string {
  const spec = specsOf(collection).find(({ name, key }) => name === wanted || sameKey(key, wanted));
  if (!spec) throw new CommandError(27, `index not found with name or key [${JSON.stringify(wanted)}]`);
  return spec.name;
}

/** Changes the time after which a TTL index deletes; nothing else of a collection can be changed here. */
const collMod: Command = ({ body }, { store }) => {
  const namespace = namespaceIn(body, 'collMod');
  const collection = store.collection(namespace);
  if (!collection) throw new CommandError(26, `ns does not exist ${namespace}`);
  const index = object(body, 'index');
  const name = indexIn(collection, index['name'] ?? index['keyPattern']);
  const spec = collection.indexes.get(name)?.spec;
  if (!spec || index['expireAfterSeconds'] === undefined) {
    throw new CommandError(72, "this stand-in for MongoDB changes only 'expireAfterSeconds' of an index");
  }
  const next = readIndexSpec({ ...spec, expireAfterSeconds: index['expireAfterSeconds'] });
  collection.dropIndex(name);
  collection.addIndex(next);
  return { expireAfterSeconds_old: spec.expireAfterSeconds, expireAfterSeconds_new: next.expireAfterSeconds };
};

export const catalog = {
  listDatabases,
  listCollections,
  create,
  drop,
  dropDatabase,
  createIndexes,
  listIndexes,
  dropIndexes,
  collMod,
} satisfies Record<string, Command>;
