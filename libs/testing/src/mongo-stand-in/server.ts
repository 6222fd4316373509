/**
 * A stand-in for MongoDB, for tests and the quick start only: where there is no MongoDB to be had, the official driver
 * connects to this, and it keeps documents in memory and, if told so, in a file.
 *
 * It is no database: no replication, no transactions, no change streams, no real indexes, one document after another.
 * What it does not know it refuses in MongoDB's own words. docs: the mongo-worker's tests run on it and, unchanged,
 * on a real server when `MONGODB_URL` is given.
 */
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { createStore, type Store } from './collections';
import { answer, type Context } from './commands';
import { createCursors } from './cursors';
import { asCommandError } from './errors';
import { createFailPoint } from './fail-point';
import { openJournal, readJournal, rewriteJournal } from './journal';
import { createUsers } from './scram';
import { messagesOf, readRequest, writeReply } from './wire';

export interface MongoStandInOptions {
  /** A loopback address; 127.0.0.1 unless given. Nobody else is served. */
  readonly host?: string;
  /** 0 (the default) takes a free port. */
  readonly port?: number;
  /** Where to keep the documents (one file, made if missing). Without it they are gone with the process. */
  readonly dir?: string;
  /** Given together: clients must log in (SCRAM-SHA-256, authSource admin). */
  readonly user?: string;
  readonly password?: string;
  /** PEM; with both it speaks TLS and nothing else. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** The only commands that a client may send once it has logged in; all of them unless given. */
  readonly allowed?: readonly string[];
  /** Most documents in all collections together; inserts beyond are refused. Default 1,000,000. */
  readonly maxDocuments?: number;
  /** Most bytes of BSON in all collections together; inserts beyond are refused. Default 2 GiB. */
  readonly maxBytes?: number;
  /** How often TTL indexes are looked at. Default 1,000 (a real server: 60,000). */
  readonly ttlIntervalMs?: number;
}

export interface MongoStandIn {
  /** `mongodb://…`, complete: with the credentials where there are any. */
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

const maxConnections = 500;
const loopback = new Set(['127.0.0.1', '::1', 'localhost']);

/** Starts the stand-in in this process. Rejects when the port is taken, the directory unusable or the host not loopback. */
export async function startMongoStandIn(options: MongoStandInOptions = {}): Promise<MongoStandIn> {
  const { host = '127.0.0.1', port = 0, dir, user, password, ttlIntervalMs = 1_000 } = options;
  if (!loopback.has(host)) throw new Error(`the stand-in for MongoDB listens on loopback only, not on '${host}'`);
  if ((user === undefined) !== (password === undefined)) throw new Error('give both a user and a password, or neither');

  const store = createStore({
    maxDocuments: options.maxDocuments ?? 1_000_000,
    maxBytes: options.maxBytes ?? 2 * 1024 ** 3,
  });
  if (dir !== undefined) keepIn(dir, store);
  const users = user !== undefined && password !== undefined ? createUsers({ user, password }) : undefined;
  const cursors = createCursors();
  const failPoint = createFailPoint();
  const sockets = new Set<Socket>();
  const allowed = options.allowed && new Set(options.allowed);
  let lastConnection = 0;

  const { tls } = options;
  const listener = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    lastConnection += 1;
    const connection = { id: lastConnection, loggedIn: false };
    void serve(socket, { store, cursors, failPoint, users, connection, allowed });
  };
  const server = tls
    ? createTlsServer({ ...tls, noDelay: true }, listener).on('tlsClientError', (_error, socket) => socket.destroy())
    : createServer({ noDelay: true }, listener);
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });

  const sweep = setInterval(() => sweepOnce(store), ttlIntervalMs);
  sweep.unref();
  const address = server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  const credentials =
    user !== undefined && password !== undefined ? `${encodeURIComponent(user)}:${encodeURIComponent(password)}@` : '';
  return {
    url: `mongodb://${credentials}${host === '::1' ? '[::1]' : host}:${listening}/?directConnection=true${tls ? '&tls=true' : ''}${credentials ? '&authSource=admin' : ''}`,
    port: listening,
    async stop() {
      clearInterval(sweep);
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      store.journal.close();
    },
  };
}

/** Reads what the directory holds and appends to it from now on. A journal that is mostly history is written anew first. */
function keepIn(dir: string, store: Store): void {
  const read = store.restore(readJournal(dir));
  if (read > 2 * store.documents + 1_000) rewriteJournal(dir, store.entries());
  store.keepIn(openJournal(dir));
}

/** One connection: one message after the other, each answered before the next is read. */
async function serve(socket: Socket, context: Context): Promise<void> {
  try {
    for await (const message of messagesOf(socket)) {
      let reply: Buffer;
      try {
        const request = readRequest(message);
        const answered = await answer(request, context);
        if (!answered) break;
        if (!request.wantsReply) continue;
        reply = writeReply(request, answered);
      } catch (error) {
        const { code, codeName, message: errmsg } = asCommandError(error);
        reply = writeReply(
          { id: message.readInt32LE(4), form: 'message' },
          { fields: { ok: 0, errmsg, code, codeName } },
        );
      }
      if (!socket.write(reply)) await drained(socket);
    }
  } catch {
    // The client went away in the middle of a message, or sent what has no length: nothing to answer, nobody to tell.
  }
  socket.destroy();
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.once('drain', done);
    socket.once('close', done);
  });
}

function sweepOnce(store: Store): void {
  try {
    if (store.expire(Date.now()) > 0) store.journal.flush();
  } catch {
    // The journal has failed; every further write is told so.
  }
}
