/**
 * The echo: every event as the edge has accepted it, one document each, for people who ask "what exactly did we receive?".
 *
 *   { _id: '<identity, 22 characters>', receivedAt: Date, time: Date, type, source, event: { …the whole envelope… } }
 *
 * The event lies under one fixed field, as data: whatever its names are (`$set`, `a.b`), nothing of it ever becomes an
 * operator or a path. `receivedAt` carries the TTL index. The same identity twice is one document, the first.
 *
 * This worker is the template for others: docs/adding-a-worker.md walks through it.
 */
import { identityKey, type WeirEvent } from '@weir/events';
import { explainTls, integer, mongodbUrl, text, variable, type Config, type Variables } from '@weir/service';
import type { Refused, Worker, WorkerDefinition } from '@weir/worker';
import { BSON, MongoBulkWriteError, MongoClient, MongoInvalidArgumentError, MongoServerError } from 'mongodb';
import type { Collection, Document } from 'mongodb';

const variables = {
  MONGODB_URL: variable(mongodbUrl().superRefine(isUnderstood).default('mongodb://127.0.0.1:27017'), {
    description: 'The MongoDB server or replica set, user and password included.',
    example: 'mongodb://weir:secret@mongodb:27017/?authSource=admin',
    secret: true,
  }),
  MONGODB_DATABASE: variable(
    text(63)
      .regex(/^[^/\\. "$*<>:|?]+$/, 'must be a database name: no white space and none of /\\."$*<>:|?')
      .default('weir'),
    { description: 'Database of the echo.' },
  ),
  MONGODB_COLLECTION: variable(
    text(120)
      .regex(/^(?!system\.)[^$\s]+$/, 'must be a collection name: no white space, no $, not beginning with system.')
      .default('events'),
    { description: 'Collection of the echo; made with its TTL index when it is not there.' },
  ),
  MONGODB_RETENTION_DAYS: variable(integer(0, 10_000, 'days').default(30), {
    description: 'How long an event is kept, days; 0 keeps all. A change holds for what is there already.',
  }),
} satisfies Variables;

export const mongoWorker: WorkerDefinition<typeof variables> = { name: 'mongo', variables, create };

/** A document of the echo. */
interface Echo extends Document {
  _id: string;
}

const timeouts = { serverSelectionTimeoutMS: 5_000, connectTimeoutMS: 5_000, socketTimeoutMS: 30_000 };

/** Acknowledged means: a majority has it in its journal. An unreachable majority is an error after a while, not a wait. */
const writeConcern = { w: 'majority', journal: true, wtimeoutMS: 20_000 } as const;

function create(config: Config<typeof variables>): Worker {
  const { MONGODB_URL: url, MONGODB_DATABASE: database, MONGODB_COLLECTION: name } = config;
  let client: MongoClient | undefined;
  let collection: Collection<Echo> | undefined;

  return {
    // An identity is one document whoever comes first, and what one insert does is nothing to the other.
    anyOrder: true,
    async connect() {
      await client?.close();
      client = new MongoClient(url, { appName: 'weir-mongo-worker', maxPoolSize: 4, ...timeouts });
      try {
        const events = client.db(database).collection<Echo>(name, { writeConcern });
        await keepFor(config.MONGODB_RETENTION_DAYS, events);
        collection = events;
      } catch (error) {
        throw new Error(explained(error, client, url), { cause: error });
      }
    },
    async write(batch) {
      if (!collection || !client) throw new Error('write before connect');
      try {
        return await insert(collection, batch);
      } catch (error) {
        // A password that has been changed while we run: whoever reads it must learn where to look.
        throw isAccess(error) ? new Error(explained(error, client, url), { cause: error }) : error;
      }
    },
    async probe() {
      // Of a replica set its primary answers, the one that is written to. It needs no right to read.
      await client?.db(database).command({ ping: 1 });
    },
    async close() {
      await client?.close();
    },
  };
}

/** Stores the events that are new. Gives back those that MongoDB can never take; throws when it may take them later. */
async function insert(collection: Collection<Echo>, batch: readonly WeirEvent[]): Promise<Refused[]> {
  const receivedAt = new Date();
  try {
    const documents = batch.map((event) => echoOf(event, receivedAt));
    await collection.insertMany(documents, { ordered: false });
    return [];
  } catch (error) {
    if (concernsOneDocument(error)) {
      // The driver or the server balked at a document and nothing says which: halve until it stands alone.
      const [only] = batch;
      if (batch.length === 1 && only) return [{ event: only, reason: (error as Error).message }];
      const middle = Math.ceil(batch.length / 2);
      const left = await insert(collection, batch.slice(0, middle));
      return [...left, ...(await insert(collection, batch.slice(middle)))];
    }
    return refusedBy(error, batch);
  }
}

function echoOf(event: WeirEvent, receivedAt: Date): Echo {
  const { type, source } = event;
  return { _id: identityKey(event), receivedAt, time: new Date(event.time), type, source, event: asData(event) };
}

/**
 * The same value, made safe for BSON's serializer, which takes objects with a field `_bsontype` for its own types and
 * refuses them: as a Map an object is nothing but names and values. Almost every event is returned as it is.
 */
function asData(value: unknown): unknown {
  if (!mentionsBsonType(value)) return value;
  if (Array.isArray(value)) return value.map(asData);
  return new Map(Object.entries(value as object).map(([name, member]) => [name, asData(member)]));
}

function mentionsBsonType(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '_bsontype') || Object.values(value).some(mentionsBsonType);
}

// Error classes. Numbers: MongoDB's src/mongo/base/error_codes.yml.

const duplicateKey = 11000;
/** What a server says of a whole command because of one document in it: nested too deep, not BSON, too large. */
const commandRefusals = new Set<unknown>([15, 22, 10334]);
/** What it says of one document that it will never take, among others because of a validator that somebody has set. */
const documentRefusals = new Set<unknown>([...commandRefusals, 2, 14, 52, 53, 56, 57, 121, 17280, 17419, 17420]);

function concernsOneDocument(error: unknown): boolean {
  if (error instanceof MongoServerError) return commandRefusals.has(error.code) && writeErrorsOf(error).length === 0;
  if (error instanceof MongoInvalidArgumentError) return error.message.includes('larger than the maximum size');
  return error instanceof BSON.BSONError || error instanceof RangeError;
}

/** Sorts the errors of an unordered insert: a duplicate is a success, a refusal is one, anything else is thrown. */
function refusedBy(error: unknown, batch: readonly WeirEvent[]): Refused[] {
  const writeErrors = writeErrorsOf(error);
  // Without write errors the command failed as a whole, or on the way. With a write concern error it is not durable.
  if (!(error instanceof MongoBulkWriteError) || writeErrors.length === 0) throw error;
  if (error.result.getWriteConcernError()) throw error;
  const refused: Refused[] = [];
  for (const { index, code, errmsg = `error ${code}` } of writeErrors) {
    if (code === duplicateKey && errmsg.includes('index: _id_ ')) continue;
    const event = batch[index];
    if (!event || !(code === duplicateKey || documentRefusals.has(code))) throw error;
    refused.push({ event, reason: errmsg });
  }
  return refused;
}

function writeErrorsOf(error: unknown) {
  return error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
}

/** Makes, changes or drops the TTL index, so that events go `days` after they were received; 0 keeps them for ever. */
async function keepFor(days: number, events: Collection<Echo>): Promise<void> {
  const key = { receivedAt: 1 } as const;
  const isCode = (error: unknown, ...codes: number[]) =>
    error instanceof MongoServerError && codes.includes(Number(error.code));
  const [collectionMissing, indexMissing, otherOptions] = [26, 27, 85];
  if (days === 0) {
    await events.dropIndex('receivedAt_1').catch((error: unknown) => {
      if (!isCode(error, collectionMissing, indexMissing)) throw error;
    });
    return;
  }
  const expireAfterSeconds = days * 24 * 3600;
  await events.createIndex(key, { expireAfterSeconds }).catch(async (error: unknown) => {
    if (!isCode(error, otherOptions)) throw error;
    await events.db.command({ collMod: events.collectionName, index: { keyPattern: key, expireAfterSeconds } });
  });
}

const isAccess = (error: unknown) => error instanceof MongoServerError && [13, 18].includes(Number(error.code));

/** Why the store cannot be used: which server, what was wrong, what to look at. Never with a credential. */
function explained(error: unknown, client: MongoClient, url: string): string {
  const { hosts, srvHost, serverSelectionTimeoutMS, credentials } = client.options;
  const where = srvHost ?? hosts.map(String).join(', ');
  const what = explainTls(error) ?? (error instanceof Error ? error.message : String(error));
  const said = withoutSecrets(what, url, credentials?.password);
  if (!(error instanceof MongoServerError)) {
    return `no usable MongoDB at ${where} within ${serverSelectionTimeoutMS / 1000} s (MONGODB_URL): ${said}`;
  }
  if (error.code === 18) return `MongoDB at ${where} refuses the user or the password of MONGODB_URL: ${said}`;
  if (error.code === 13)
    return `MongoDB at ${where} does not let the user of MONGODB_URL write (role readWrite): ${said}`;
  return `MongoDB at ${where} cannot be used: ${said}`;
}

function withoutSecrets(message: string, url: string, password: string | undefined): string {
  const credentials = /\/\/([^@/]*)@/.exec(url)?.[1];
  const secrets = [credentials, credentials?.split(':')[1], password].filter((secret) => secret);
  return secrets.reduce<string>((shown, secret) => shown.replaceAll(secret!, '***'), message);
}

/** Lets the driver read the URL before anything starts, so that a mistake in it is a mistake in the configuration. */
function isUnderstood(url: string, context: { addIssue(issue: { code: 'custom'; message: string }): void }): void {
  try {
    const { tls, rejectUnauthorized, checkServerIdentity } = new MongoClient(url).options;
    if (tls && (rejectUnauthorized === false || checkServerIdentity !== undefined)) {
      const message = 'must not turn the verification of certificates off: name the authority in NODE_EXTRA_CA_CERTS';
      context.addIssue({ code: 'custom', message });
    }
  } catch (error) {
    const message = withoutSecrets((error as Error).message, url, undefined);
    context.addIssue({ code: 'custom', message: `must be a URL that the MongoDB driver understands: ${message}` });
  }
}
