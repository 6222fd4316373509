/**
 * Where the stand-in keeps documents: databases of collections, a collection a Map from the key of `_id` to the
 * document's own BSON bytes. Documents are kept as bytes because they are smaller than objects, can be counted, and
 * come back exactly as they came in; whoever looks inside one parses it.
 */
import { deserialize, ObjectId, serialize } from 'bson';
import { CommandError } from './errors';
import { createIndex, duplicateKey, type Index, type IndexSpec } from './indexes';
import { type Change, type Entry, type Journal, noJournal } from './journal';
import { matcherOf } from './query';
import { isDeeperThan, isPlainObject, keyOf } from './values';
import { type Document, limits as wireLimits } from './wire';

/** A document that was found: its key in the collection, its bytes, and the same as an object. */
export interface Found {
  readonly id: string;
  readonly raw: Buffer;
  readonly document: Document;
}

export interface Collection {
  readonly name: string;
  readonly namespace: string;
  readonly size: number;
  /** All indexes but the one on `_id`, which every collection has. */
  readonly indexes: ReadonlyMap<string, Index>;
  raws(): Iterable<Buffer>;
  /** Stores a new document. Throws CommandError: too large, too deep, bad `_id`, duplicate key, store full. */
  insert(raw: Buffer): void;
  /** Stores a document in place of what is there under its `_id`, if anything is. */
  overwrite(raw: Buffer): void;
  /** The documents that match, in the order of insertion. An `_id` that is asked for by value is looked up, not searched. */
  find(filter: Document, most?: number): Found[];
  replace(found: Found, document: Document): 'changed' | 'same';
  remove(found: Pick<Found, 'id'>): void;
  addIndex(spec: IndexSpec): void;
  dropIndex(name: string): void;
}

export interface Store {
  databases(): string[];
  collections(database: string): Collection[];
  collection(namespace: string): Collection | undefined;
  /** The collection, made when it is not there, as MongoDB does on the first write. */
  ensure(namespace: string): Collection;
  drop(namespace: string): boolean;
  /** Deletes what TTL indexes say is due at `now` (ms) and tells how many that were. */
  expire(now: number): number;
  /** What a journal has to hold to give this very store again. */
  entries(): Iterable<Entry>;
  /** Applies a journal's entries, then writes all further changes to `journal`. Returns the number of entries. */
  restore(entries: Iterable<Entry>): number;
  keepIn(journal: Journal): void;
  readonly journal: Journal;
  readonly documents: number;
}

/** MongoDB's own limit for nesting in stored documents. */
const maxDepth = 180;
export const idIndex: IndexSpec = { v: 2, key: { _id: 1 }, name: '_id_' };

export function databaseOf(namespace: string): string {
  return namespace.slice(0, namespace.indexOf('.'));
}

/** A store in memory. It refuses documents beyond `maxDocuments` or `maxBytes` (bytes of BSON) in all collections together. */
export function createStore({ maxDocuments, maxBytes }: { maxDocuments: number; maxBytes: number }): Store {
  const collections = new Map<string, Collection>();
  const held = { documents: 0, bytes: 0 };
  let journal = noJournal;

  const record = (change: Change, namespace: string, document: Document | Buffer = {}) =>
    journal.append({
      change,
      namespace,
      document: Buffer.isBuffer(document) ? document : Buffer.from(serialize(document)),
    });

  const reserve = (bytes: number) => {
    if (held.documents >= maxDocuments || held.bytes + bytes > maxBytes) {
      throw new CommandError(
        14031,
        `this stand-in for MongoDB is full: it holds ${held.documents} documents of ${held.bytes} bytes, and takes at most ` +
          `${maxDocuments} (maxDocuments) of ${maxBytes} (maxBytes); delete some, start it with higher limits, or use a real MongoDB`,
      );
    }
  };

  function createCollection(namespace: string): Collection {
    const stored = new Map<string, Buffer>();
    const indexes = new Map<string, Index>();
    const eachIndex = (visit: (index: Index) => void) => indexes.forEach(visit);
    const found = (id: string, raw: Buffer): Found => ({ id, raw, document: deserialize(raw) });
    const put = (id: string, raw: Buffer, document: Document) => {
      const before = stored.get(id);
      if (before && indexes.size > 0) eachIndex((index) => index.remove(id, deserialize(before)));
      // A copy: the bytes that came are a slice of a message, or of the journal, which would be held as a whole.
      stored.set(id, Buffer.from(raw));
      eachIndex((index) => index.add(id, document));
      held.documents += before ? 0 : 1;
      held.bytes += raw.length - (before?.length ?? 0);
      record('p', namespace, raw);
    };

    return {
      name: namespace.slice(namespace.indexOf('.') + 1),
      namespace,
      indexes,
      get size() {
        return stored.size;
      },
      raws: () => stored.values(),
      insert(raw) {
        const [bytes, document] = readForStorage(raw);
        const id = keyOf(document['_id']);
        if (stored.has(id)) throw duplicateKey(namespace, idIndex, [document['_id']]);
        reserve(bytes.length);
        eachIndex((index) => index.check(id, document));
        put(id, bytes, document);
      },
      overwrite(raw) {
        const [bytes, document] = readForStorage(raw);
        put(keyOf(document['_id']), bytes, document);
      },
      find(filter, most = Infinity) {
        const matches = matcherOf(filter);
        const asked = idsAskedFor(filter['_id']);
        const candidates = asked ? asked.map((id) => [id, stored.get(id)] as const) : stored;
        const all: Found[] = [];
        for (const [id, raw] of candidates) {
          if (!raw) continue;
          const each = found(id, raw);
          if (matches(each.document) && all.push(each) >= most) break;
        }
        return all;
      },
      replace({ id, raw }, document) {
        const bytes = Buffer.from(serialize(document));
        if (bytes.equals(raw)) return 'same';
        if (bytes.length > raw.length) checkSize(bytes);
        eachIndex((index) => index.check(id, document));
        put(id, bytes, document);
        return 'changed';
      },
      remove({ id }) {
        const raw = stored.get(id);
        if (!raw) return;
        const document = deserialize(raw);
        eachIndex((index) => index.remove(id, document));
        stored.delete(id);
        held.documents -= 1;
        held.bytes -= raw.length;
        record('d', namespace, { _id: document['_id'] });
      },
      addIndex(spec) {
        const index = createIndex(namespace, spec);
        for (const [id, raw] of stored) {
          const document = deserialize(raw);
          index.check(id, document);
          index.add(id, document);
        }
        indexes.set(spec.name, index);
        record('i', namespace, spec);
      },
      dropIndex(name) {
        if (indexes.delete(name)) record('x', namespace, { name });
      },
    };
  }

  const store: Store = {
    get journal() {
      return journal;
    },
    get documents() {
      return held.documents;
    },
    databases: () => [...new Set([...collections.keys()].map(databaseOf))].sort(),
    collections: (database) => [...collections.values()].filter(({ namespace }) => databaseOf(namespace) === database),
    collection: (namespace) => collections.get(namespace),
    ensure(namespace) {
      const known = collections.get(namespace);
      if (known) return known;
      const made = createCollection(namespace);
      collections.set(namespace, made);
      record('c', namespace);
      return made;
    },
    drop(namespace) {
      const collection = collections.get(namespace);
      if (!collection) return false;
      held.documents -= collection.size;
      for (const raw of collection.raws()) held.bytes -= raw.length;
      collections.delete(namespace);
      record('r', namespace);
      return true;
    },
    expire(now) {
      let count = 0;
      for (const collection of collections.values()) {
        for (const index of collection.indexes.values()) {
          for (const id of index.expired(now)) {
            collection.remove({ id });
            count += 1;
          }
        }
      }
      return count;
    },
    *entries() {
      for (const collection of collections.values()) {
        const { namespace } = collection;
        yield { change: 'c', namespace, document: Buffer.from(serialize({})) };
        for (const { spec } of collection.indexes.values())
          yield { change: 'i', namespace, document: Buffer.from(serialize(spec)) };
        for (const document of collection.raws()) yield { change: 'p', namespace, document };
      }
    },
    restore(entries) {
      let count = 0;
      for (const entry of entries) {
        apply(store, entry);
        count += 1;
      }
      return count;
    },
    keepIn(next) {
      journal = next;
    },
  };
  return store;
}

/** One change from a journal. */
function apply(store: Store, { change, namespace, document: raw }: Entry): void {
  if (change === 'r') return void store.drop(namespace);
  const collection = store.ensure(namespace);
  if (change === 'c') return;
  if (change === 'p') return collection.overwrite(raw);
  const document = deserialize(raw);
  if (change === 'd') collection.remove({ id: keyOf(document['_id']) });
  if (change === 'i') collection.addIndex(document as IndexSpec);
  if (change === 'x') collection.dropIndex(String(document['name']));
}

/** The bytes to store and the same as an object, with an `_id` in front as MongoDB keeps it. */
function readForStorage(raw: Buffer): [Buffer, Document] {
  checkSize(raw);
  const document = deserialize(raw);
  if (isDeeperThan(document, maxDepth)) {
    throw new CommandError(15, `cannot insert document because it exceeds ${maxDepth} levels of nesting`);
  }
  const id = document['_id'];
  if (Array.isArray(id) || id instanceof RegExp) {
    throw new CommandError(53, `The '_id' value cannot be of type ${Array.isArray(id) ? 'array' : 'regex'}`);
  }
  if (id !== undefined && Object.keys(document)[0] === '_id') return [raw, document];
  // Without promotion, so that every number keeps the type it came with.
  const { _id = new ObjectId(), ...rest } = deserialize(raw, { promoteValues: false });
  const ordered = Buffer.from(serialize({ _id, ...rest }));
  return [ordered, deserialize(ordered)];
}

function checkSize(raw: Buffer): void {
  if (raw.length > wireLimits.documentBytes) {
    throw new CommandError(
      10334,
      `object to insert too large. size in bytes: ${raw.length}, max size: ${wireLimits.documentBytes}`,
    );
  }
}

/** The keys of the `_id`s that a filter names, or undefined where it does not name them one by one. */
function idsAskedFor(condition: unknown): string[] | undefined {
  if (condition === undefined || condition === null || condition instanceof RegExp) return undefined;
  if (!isPlainObject(condition)) return [keyOf(condition)];
  const operators = Object.keys(condition);
  if (operators.includes('$eq')) return [keyOf(condition['$eq'])];
  const among = condition['$in'];
  if (Array.isArray(among) && !among.some((each) => each instanceof RegExp)) return [...new Set(among.map(keyOf))];
  return operators.some((name) => name.startsWith('$')) ? undefined : [keyOf(condition)];
}
