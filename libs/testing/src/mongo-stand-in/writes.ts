/** The commands that write: insert, update, delete. */
import { deserialize, ObjectId, serialize } from 'bson';
import type { Collection, Found } from './collections';
import type { Command } from './commands';
import { asCommandError, CommandError } from './errors';
import { namespaceIn, object, whole } from './fields';
import { fixedBy, isOperators, shaped, type Update, updated } from './query';
import { isPlainObject } from './values';
import { type Document, limits, type Request } from './wire';

const insert: Command = (request, { store }) => {
  const documents = partsOf(request, 'documents');
  const collection = store.ensure(namespaceIn(request.body, 'insert'));
  let n = 0;
  const writeErrors = eachWrite(request.body, documents, (document) => {
    collection.insert(document);
    n += 1;
  });
  return { n, ...writeErrors };
};

const update: Command = (request, { store }) => {
  const statements = partsOf(request, 'updates');
  const collection = store.ensure(namespaceIn(request.body, 'update'));
  let n = 0;
  let nModified = 0;
  const upserted: Document[] = [];
  const writeErrors = eachWrite(request.body, statements, (bytes, index) => {
    const result = updateIn(collection, deserialize(bytes));
    n += result.matched + (result.upsertedId === undefined ? 0 : 1);
    nModified += result.modified;
    if (result.upsertedId !== undefined) upserted.push({ index, _id: result.upsertedId });
  });
  return { n, nModified, ...(upserted.length > 0 ? { upserted } : {}), ...writeErrors };
};

function updateIn(
  collection: Collection,
  statement: Document,
): { matched: number; modified: number; upsertedId?: unknown } {
  const filter = object(statement, 'q');
  const change = updateOf(statement['u']);
  const multi = Boolean(statement['multi']);
  if (multi && !Array.isArray(change) && !isOperators(change)) {
    throw new CommandError(9, 'multi update is not supported for replacement-style update');
  }
  const arrayFilters = statement['arrayFilters'] as Document[] | undefined;
  const given = { filter, ...(arrayFilters ? { arrayFilters } : {}) };
  const targets = targetsOf(collection, filter, { one: !multi, sort: object(statement, 'sort') });
  if (targets.length === 0 && statement['upsert']) {
    const document = updated(fixedBy(filter), change, { ...given, inserting: true });
    const { _id = new ObjectId(), ...rest } = document;
    collection.insert(Buffer.from(serialize({ _id, ...rest })));
    return { matched: 0, modified: 0, upsertedId: _id };
  }
  const results = targets.map((found) =>
    collection.replace(found, updated(found.document, change, { ...given, inserting: false })),
  );
  return { matched: targets.length, modified: results.filter((result) => result === 'changed').length };
}

function updateOf(value: unknown): Update {
  if (isPlainObject(value) || (Array.isArray(value) && value.every(isPlainObject))) return value;
  throw new CommandError(9, "field 'u' must be an object or an array of objects");
}

const deletion: Command = (request, { store }) => {
  const statements = partsOf(request, 'deletes');
  const collection = store.collection(namespaceIn(request.body, 'delete'));
  let n = 0;
  const writeErrors = eachWrite(request.body, statements, (bytes) => {
    const statement = deserialize(bytes);
    const one = whole(statement, 'limit', 0) === 1;
    const targets = collection ? targetsOf(collection, object(statement, 'q'), { one, sort: {} }) : [];
    for (const target of targets) collection?.remove(target);
    n += targets.length;
  });
  return { n, ...writeErrors };
};

function targetsOf(collection: Collection, filter: Document, { one, sort }: { one: boolean; sort: Document }): Found[] {
  const isSorted = Object.keys(sort).length > 0;
  const found = collection.find(filter, one && !isSorted ? 1 : Infinity);
  if (!one || !isSorted) return found;
  const byDocument = new Map(found.map((each) => [each.document, each]));
  return shaped([...byDocument.keys()], { sort, limit: 1 }).map((document) => byDocument.get(document)!);
}

/** The writes of a command as BSON bytes: a document sequence from drivers, an array in the body from a shell. */
function partsOf({ body, sequences }: Request, field: string): Buffer[] {
  const inBody = body[field];
  const parts =
    sequences.get(field) ?? (Array.isArray(inBody) ? inBody.map((part: Document) => Buffer.from(serialize(part))) : []);
  if (parts.length === 0 || parts.length > limits.writeBatch) {
    throw new CommandError(
      2,
      `Write batch sizes must be between 1 and ${limits.writeBatch}. Got ${parts.length} operations.`,
    );
  }
  return parts;
}

/** Does one write after another: an ordered command stops at the first that fails, an unordered one goes on. */
function eachWrite(
  body: Document,
  parts: readonly Buffer[],
  write: (part: Buffer, index: number) => void,
): { writeErrors?: Document[] } {
  const writeErrors: Document[] = [];
  for (const [index, part] of parts.entries()) {
    try {
      write(part, index);
    } catch (error) {
      const { code, message, details } = asCommandError(error);
      writeErrors.push({ index, code, errmsg: message, ...details });
      if (body['ordered'] !== false) break;
    }
  }
  return writeErrors.length > 0 ? { writeErrors } : {};
}

export const writes = { insert, update, delete: deletion } satisfies Record<string, Command>;
