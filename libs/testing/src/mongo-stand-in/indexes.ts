/** Indexes of a collection: they keep what is unique unique and know when documents expire. They do not speed up reads. */
import { CommandError } from './errors';
import { matcherOf } from './query';
import { isPlainObject, keyOf, valuesAt } from './values';
import type { Document } from './wire';

/** An index as `createIndexes` takes it and `listIndexes` shows it. */
export interface IndexSpec extends Document {
  readonly v: 2;
  readonly key: Record<string, unknown>;
  readonly name: string;
  readonly unique?: boolean;
  readonly sparse?: boolean;
  /** Seconds after the date in the indexed field; documents without a date there stay. */
  readonly expireAfterSeconds?: number;
  readonly partialFilterExpression?: Document;
}

export interface Index {
  readonly spec: IndexSpec;
  /** Throws DuplicateKey when the document, which is or will be stored under `id`, collides with another one. */
  check(id: string, document: Document): void;
  add(id: string, document: Document): void;
  remove(id: string, document: Document): void;
  /** The ids of documents that are due at `now` (ms). */
  expired(now: number): string[];
}

const plainKinds = new Set<unknown>([1, -1, 'hashed']);
const knownOptions = new Set([
  'v',
  'key',
  'name',
  'ns',
  'unique',
  'sparse',
  'expireAfterSeconds',
  'partialFilterExpression',
  'background',
]);

/** Checks what a client sent and gives the spec of it. Throws CommandError naming the option. */
export function readIndexSpec(sent: unknown): IndexSpec {
  if (!isPlainObject(sent) || !isPlainObject(sent['key']) || Object.keys(sent['key']).length === 0) {
    throw new CommandError(67, 'an index needs a key with at least one field');
  }
  const unknown = Object.keys(sent).find((option) => !knownOptions.has(option));
  if (unknown) throw new CommandError(67, `this stand-in for MongoDB does not know the index option '${unknown}'`);
  const kinds = Object.entries(sent['key']);
  for (const [field, kind] of kinds) {
    if (!plainKinds.has(kind)) {
      throw new CommandError(67, `this stand-in for MongoDB has no index of kind '${String(kind)}' (field '${field}')`);
    }
  }
  const seconds = sent['expireAfterSeconds'];
  if (seconds !== undefined) {
    if (kinds.length > 1)
      throw new CommandError(67, 'TTL indexes are single-field indexes, compound indexes do not support TTL');
    if (typeof seconds !== 'number' || seconds < 0 || seconds > 2 ** 31 - 1) {
      throw new CommandError(
        67,
        `expireAfterSeconds must be a number from 0 to ${2 ** 31 - 1}, not ${String(seconds)}`,
      );
    }
  }
  const name =
    typeof sent['name'] === 'string'
      ? sent['name']
      : kinds.map(([field, kind]) => `${field}_${String(kind)}`).join('_');
  const options = Object.entries(sent).filter(([option]) => option !== 'ns' && option !== 'background');
  return { ...Object.fromEntries(options), v: 2, key: sent['key'], name };
}

/** An empty index. `namespace` and the spec's name appear in its errors. */
export function createIndex(namespace: string, spec: IndexSpec): Index {
  const fields = Object.keys(spec.key);
  const owners = new Map<string, string>();
  const dueFrom = new Map<string, number>();
  /** No date in the index is before this one, so that looking when nothing is due costs nothing. */
  let earliest = Infinity;
  const inPart = spec.partialFilterExpression ? matcherOf(spec.partialFilterExpression) : () => true;

  const keysOf = (document: Document): Array<{ key: string; values: unknown[] }> => {
    if (!spec.unique || !inPart(document)) return [];
    let tuples: unknown[][] = [[]];
    for (const field of fields) {
      const values = valuesAt(document, field);
      tuples = tuples.flatMap((tuple) => (values.length ? values : [undefined]).map((value) => [...tuple, value]));
    }
    if (spec.sparse) tuples = tuples.filter((tuple) => tuple.some((value) => value !== undefined));
    return tuples.map((values) => ({ key: values.map((value) => keyOf(value)).join('\0'), values }));
  };

  return {
    spec,
    check(id, document) {
      for (const { key, values } of keysOf(document)) {
        if ((owners.get(key) ?? id) !== id) throw duplicateKey(namespace, spec, values);
      }
    },
    add(id, document) {
      for (const { key } of keysOf(document)) owners.set(key, id);
      if (spec.expireAfterSeconds === undefined) return;
      const dates = valuesAt(document, fields[0]!).filter((value) => value instanceof Date);
      if (dates.length === 0) return;
      const from = Math.min(...dates.map(Number));
      dueFrom.set(id, from);
      earliest = Math.min(earliest, from);
    },
    remove(id, document) {
      for (const { key } of keysOf(document)) owners.delete(key);
      dueFrom.delete(id);
    },
    expired(now) {
      const before = now - (spec.expireAfterSeconds ?? Infinity) * 1000;
      if (earliest > before) return [];
      const ids: string[] = [];
      earliest = Infinity;
      for (const [id, from] of dueFrom) {
        if (from <= before) ids.push(id);
        else earliest = Math.min(earliest, from);
      }
      return ids;
    },
  };
}

/** MongoDB's answer to a second document with the same key: code 11000, with the key's pattern and value. */
export function duplicateKey(
  namespace: string,
  spec: Pick<IndexSpec, 'key' | 'name'>,
  values: readonly unknown[],
): CommandError {
  const keyValue = Object.fromEntries(Object.keys(spec.key).map((field, index) => [field, values[index] ?? null]));
  const shown = Object.entries(keyValue).map(([field, value]) => `${field}: ${JSON.stringify(value)}`);
  return new CommandError(
    11000,
    `E11000 duplicate key error collection: ${namespace} index: ${spec.name} dup key: { ${shown.join(', ')} }`,
    { keyPattern: spec.key, keyValue },
  );
}
