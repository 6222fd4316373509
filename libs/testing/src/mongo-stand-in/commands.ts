/** Finds the command that a request names, sees that it is allowed and durable, and gives the answer. */
import { catalog } from './catalog';
import type { Store } from './collections';
import type { Cursors } from './cursors';
import { asCommandError, CommandError } from './errors';
import type { FailPoint } from './fail-point';
import { object } from './fields';
import { reads } from './reads';
import { type Login, mechanism, type Users } from './scram';
import { type Document, limits, type Reply, type Request } from './wire';
import { writes } from './writes';

/** What a command works on. `connection` is the state of the one connection it came by. */
export interface Context {
  readonly store: Store;
  readonly cursors: Cursors;
  readonly failPoint: FailPoint;
  /** Undefined when everybody may do everything. */
  readonly users: Users | undefined;
  readonly connection: { readonly id: number; login?: Login; loggedIn: boolean };
  /** The commands that a login is good for; undefined for all. */
  readonly allowed: ReadonlySet<string> | undefined;
}

/** The answer's fields (`ok: 1` is added), or a whole reply where there is a cursor's batch. Throws CommandError. */
export type Command = (request: Request, context: Context) => Document | Reply;

/** The server version that the stand-in gives; the wire version is that of MongoDB 7.0. */
const version = '7.0.0';
const wireVersion = 21;

const hello: Command = () => ({
  helloOk: true,
  isWritablePrimary: true,
  ismaster: true,
  maxBsonObjectSize: limits.documentBytes,
  maxMessageSizeBytes: limits.messageBytes,
  maxWriteBatchSize: limits.writeBatch,
  localTime: new Date(),
  logicalSessionTimeoutMinutes: 30,
  minWireVersion: 0,
  maxWireVersion: wireVersion,
  readOnly: false,
});

const helloFor: Command = (request, context) => {
  const mechanisms = context.users && request.body['saslSupportedMechs'] ? { saslSupportedMechs: [mechanism] } : {};
  return { ...hello(request, context), connectionId: context.connection.id, ...mechanisms };
};

const buildInfo: Command = () => ({
  version,
  versionArray: [7, 0, 0, 0],
  gitVersion: 'none',
  modules: [],
  allocator: 'none',
  storageEngines: ['memory'],
  bits: 64,
  debug: false,
  maxBsonObjectSize: limits.documentBytes,
  standIn: 'a stand-in for MongoDB, for tests and the quick start only',
});

const connectionStatus: Command = (_request, { connection }) => ({
  authInfo: {
    authenticatedUsers: connection.loggedIn ? [{ user: 'user', db: 'admin' }] : [],
    authenticatedUserRoles: [],
  },
});

const saslStart: Command = (request, { users, connection }) => {
  const { body } = request;
  if (body['mechanism'] !== mechanism) throw new CommandError(334, `the only mechanism here is ${mechanism}`);
  if (!users || body['$db'] !== 'admin') throw new CommandError(18, 'Authentication failed.');
  connection.login = users.startLogin();
  connection.loggedIn = false;
  return answerTo(request, connection, Boolean(object(body, 'options')['skipEmptyExchange']));
};

const saslContinue: Command = (request, { connection }) => answerTo(request, connection, true);

function answerTo({ body }: Request, connection: Context['connection'], skipsLast: boolean): Document {
  const payload = body['payload'];
  const bytes =
    payload && typeof payload === 'object' && 'buffer' in payload ? (payload.buffer as Uint8Array) : new Uint8Array();
  if (!connection.login) throw new CommandError(17, 'saslContinue without saslStart');
  const { message, proven } = connection.login.answer(Buffer.from(bytes).toString());
  if (proven) connection.loggedIn = true;
  return { conversationId: 1, done: proven && (skipsLast || message === ''), payload: Buffer.from(message) };
}

const nothing: Command = () => ({});
const configureFailPoint: Command = ({ body }, { failPoint }) => failPoint.configure(body);

const updateUser: Command = ({ body }, { users }) => {
  const { updateUser: user, pwd } = body;
  if (typeof user !== 'string' || typeof pwd !== 'string' || body['$db'] !== 'admin')
    throw new CommandError(2, "this stand-in for MongoDB changes only the 'pwd' of a user of 'admin'");
  if (!users) throw new CommandError(11, `User ${user}@admin not found`);
  users.changePassword(user, pwd);
  return {};
};

/** What works before a login. */
const open: Record<string, Command> = {
  hello: helloFor,
  isMaster: helloFor,
  ismaster: helloFor,
  ping: nothing,
  buildInfo,
  buildinfo: buildInfo,
  connectionStatus,
  saslStart,
  saslContinue,
  endSessions: nothing,
};

const commands = new Map<string, Command>(
  Object.entries({ ...open, ...reads, ...writes, ...catalog, configureFailPoint, updateUser }),
);

/** Answers a request; errors are answers as well. Undefined means that the connection is to be cut without one. */
export async function answer(request: Request, context: Context): Promise<Reply | undefined> {
  try {
    const failure = context.failPoint.take(nameOf(request.body));
    if (failure?.closeConnection) return undefined;
    if (failure?.errorCode !== undefined) {
      const errmsg = "Failing command via 'failCommand' failpoint";
      return { fields: { ok: 0, errmsg, code: failure.errorCode, codeName: `Location${failure.errorCode}` } };
    }
    const concern = writeConcernOf(request.body);
    let result: Document | Reply;
    try {
      result = commandFor(request.body, context)(request, context);
    } finally {
      // Even a command that fails may have changed something before it did.
      context.store.journal.flush();
    }
    if (concern.journaled) await context.store.journal.sync();
    if ('batch' in result) return result as Reply;
    const { writeConcernError } = failure ?? {};
    return { fields: { ...result, ...(writeConcernError ? { writeConcernError } : {}), ok: 1 } };
  } catch (thrown) {
    const { code, codeName, message, details } = asCommandError(thrown);
    return { fields: { ok: 0, errmsg: message, code, codeName, ...details } };
  }
}

const nameOf = (body: Document): string => Object.keys(body)[0] ?? '';

function commandFor(body: Document, { users, connection, allowed }: Context): Command {
  const name = nameOf(body);
  const command = commands.get(name);
  if (!command) {
    throw new CommandError(
      59,
      `no such command: '${name}' (this is Weir's stand-in for MongoDB, which knows only what Weir needs)`,
    );
  }
  if (users && !connection.loggedIn && !Object.hasOwn(open, name))
    throw new CommandError(13, `Command ${name} requires authentication`);
  if (allowed && !allowed.has(name) && !Object.hasOwn(open, name))
    throw new CommandError(13, `not authorized on ${String(body['$db'])} to execute command ${name}`);
  if (body['startTransaction'] || body['txnNumber']) {
    throw new CommandError(20, 'Transaction numbers are only allowed on a replica set member or mongos');
  }
  return command;
}

/** Whether a write is to be on the disk before it is answered: asked for, or implied by a majority, as on a real server. */
function writeConcernOf(body: Document): { journaled: boolean } {
  const { w, j } = object(body, 'writeConcern');
  if (typeof w === 'number' && w > 1) throw new CommandError(2, "cannot use 'w' > 1 when a host is not replicated");
  return { journaled: j === true || (w === 'majority' && j !== false) };
}
