/** MongoDB's query language over plain objects: mingo's work, with what a server must not do switched off. */
import { Aggregator, Query, updateOne } from 'mingo';
import { CommandError } from './errors';
import { isPlainObject } from './values';
import type { Document } from './wire';

/** No JavaScript from clients: `$where`, `$function` and `$accumulator` are errors. */
const options = { scriptEnabled: false };

/** A test for documents. Throws on a filter that makes no sense. */
export function matcherOf(filter: Document): (document: Document) => boolean {
  if (Object.keys(filter).length === 0) return () => true;
  const query = new Query(filter, options);
  return (document) => query.test(document);
}

export interface Shape {
  readonly sort?: Document | undefined;
  readonly skip?: number | undefined;
  readonly limit?: number | undefined;
}

/** Sorted, skipped and limited; the members are the very objects that were given. `$natural` is the order of insertion. */
export function shaped(documents: Document[], { sort, skip = 0, limit = 0 }: Shape): Document[] {
  let ordered = documents;
  if (sort && '$natural' in sort) ordered = sort['$natural'] === -1 ? documents.toReversed() : documents;
  else if (sort && Object.keys(sort).length > 0)
    ordered = new Query({}, options)
      .find<Document>(documents)
      .sort(sort as never)
      .all();
  return ordered.slice(skip, limit > 0 ? skip + limit : undefined);
}

export function projected(documents: Document[], projection: Document): Document[] {
  return new Query({}, options).find<Document>(documents, projection as never).all();
}

/** Stages that write, or that need a server's machinery: a wrong answer would be worse than none. */
const refusedStages = [
  '$out',
  '$merge',
  '$changeStream',
  '$indexStats',
  '$currentOp',
  '$listSessions',
  '$search',
  '$geoNear',
];

/** Runs a pipeline. `collection` gives the documents of another collection, for `$lookup` and the like. */
export function aggregated(
  documents: Document[],
  pipeline: Document[],
  collection: (name: string) => Document[],
): Document[] {
  for (const stage of pipeline) {
    const name = Object.keys(stage)[0] ?? '';
    if (refusedStages.includes(name))
      throw new CommandError(40324, `this stand-in for MongoDB has no pipeline stage '${name}'`);
  }
  return new Aggregator(pipeline, { ...options, collectionResolver: collection }).run<Document>(documents);
}

export type Update = Document | Document[];

/**
 * The document after an update: operators, a pipeline or a replacement. `inserting` also applies `$setOnInsert`.
 * Throws when `_id` would change.
 */
export function updated(
  document: Document,
  update: Update,
  given: { inserting: boolean; filter: Document; arrayFilters?: Document[] },
): Document {
  const next = applied(document, update, given);
  if (document['_id'] !== undefined && String(next['_id']) !== String(document['_id'])) {
    throw new CommandError(66, "Performing an update on the path '_id' would modify the immutable field '_id'");
  }
  return next;
}

function applied(
  document: Document,
  update: Update,
  given: { inserting: boolean; filter: Document; arrayFilters?: Document[] },
): Document {
  if (!Array.isArray(update) && !isOperators(update)) {
    const { _id: replacementId = document['_id'], ...rest } = update;
    return replacementId === undefined ? rest : { _id: replacementId, ...rest };
  }
  const documents = [structuredCloneOf(document)];
  const run = (modifier: unknown) => {
    // Positional operators ($) look at what the filter matched; an upsert's new document has not been matched.
    const condition = given.inserting ? {} : given.filter;
    updateOne(
      documents,
      condition,
      modifier as never,
      { cloneMode: 'deep', arrayFilters: given.arrayFilters ?? [] },
      options,
    );
  };
  if (Array.isArray(update)) {
    run(update);
    return documents[0]!;
  }
  const { $setOnInsert: onInsert, ...modifier } = update;
  if (Object.keys(modifier).length > 0) run(modifier);
  if (given.inserting && isPlainObject(onInsert)) run({ $set: onInsert });
  return documents[0]!;
}

/** The fields that an upsert's filter fixes by equality: the start of the document it inserts. */
export function fixedBy(filter: Document): Document {
  const fixed: Document = {};
  for (const [field, condition] of Object.entries(filter)) {
    if (field === '$and' && Array.isArray(condition))
      for (const part of condition) Object.assign(fixed, fixedBy(part as Document));
    if (field.startsWith('$')) continue;
    const value = isPlainObject(condition) && isOperators(condition) ? condition['$eq'] : condition;
    if (value !== undefined && !(value instanceof RegExp)) fixed[field] = value;
  }
  const { _id, ...rest } = fixed;
  const documents: Document[] = [{}];
  if (Object.keys(rest).length > 0) updateOne(documents, {}, { $set: rest } as never, {}, options);
  return _id === undefined ? documents[0]! : { _id, ...documents[0] };
}

export function isOperators(value: Document): boolean {
  return Object.keys(value)[0]?.startsWith('$') ?? false;
}

/** A copy whose containers are its own; BSON values are never changed in place and stay shared. */
function structuredCloneOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map((member) => structuredCloneOf<unknown>(member)) as T;
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, structuredCloneOf(member)])) as T;
}
