import { writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { findProgram, privateServer } from './private-server';
import { startProcess } from './process';
import type { PrivateServer, StartOptions } from './server';
import { loadState } from './state';

/**
 * Starts a private MongoDB with one user: `mongod` where it is on the PATH, otherwise the stand-in of this library
 * (../mongo-stand-in), which says what it is. Both keep their data in `dir`.
 */
export async function startMongodb(options: StartOptions): Promise<PrivateServer> {
  const { dir } = options;
  const { ports, user, password } = await loadState(dir, ['mongodb']);
  const mongod = findProgram('mongod');
  const url = `mongodb://${user}:${password}@127.0.0.1:${ports.mongodb}`;
  const command = mongod
    ? { program: mongod, args: mongodArguments(dir, ports.mongodb) }
    : { program: process.execPath, args: await standInArguments(dir, ports.mongodb, user, password) };

  return privateServer({
    name: 'mongodb',
    url,
    dir,
    found: mongod ? 'program' : 'stand-in',
    note: mongod
      ? `private instance of ${mongod}, data in ${dir}`
      : `a stand-in that speaks MongoDB's protocol, not a MongoDB; documents in ${dir}`,
    launch: async () => [
      await startProcess({
        name: 'mongodb',
        ...command,
        dir,
        ready: () => mongodbAnswers(ports.mongodb, user, password),
        ...(options.startTimeoutMs === undefined ? {} : { startTimeoutMs: options.startTimeoutMs }),
      }),
    ],
  });
}

function mongodArguments(dir: string, port: number): string[] {
  return ['--dbpath', dir, '--port', String(port), '--bind_ip', '127.0.0.1', '--auth', '--unixSocketPrefix', dir];
}

/** The stand-in is a process of its own, so that it can be frozen and killed as a server can. */
async function standInArguments(dir: string, port: number, user: string, password: string): Promise<string[]> {
  const passwordFile = join(dir, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  const extension = extname(__filename);
  const fromSource = extension === '.ts' ? ['--require', join(__dirname, '..', 'source.js')] : [];
  const main = join(__dirname, '..', 'mongo-stand-in', `main${extension}`);
  const flags = ['--host', '127.0.0.1', '--port', String(port), '--dir', join(dir, 'documents')];
  return [...fromSource, main, ...flags, '--user', user, '--password-file', passwordFile];
}

/**
 * Ready means: our user can log in. A mongod without any user lets a local client create the first one (the localhost
 * exception); that happens on the first start only.
 */
export async function mongodbAnswers(port: number, user: string, password: string): Promise<void> {
  const { MongoClient } = await import('mongodb');
  const patience = { serverSelectionTimeoutMS: 2_000, connectTimeoutMS: 2_000 };
  const asUser = new MongoClient(`mongodb://${user}:${password}@127.0.0.1:${port}`, patience);
  try {
    await asUser.db('admin').command({ listDatabases: 1, nameOnly: true });
  } catch (error) {
    if ((error as { code?: number }).code !== 18) throw error; // 18: AuthenticationFailed
    const asNobody = new MongoClient(`mongodb://127.0.0.1:${port}`, patience);
    try {
      await asNobody.db('admin').command({ createUser: user, pwd: password, roles: ['root'] });
    } finally {
      await asNobody.close();
    }
  } finally {
    await asUser.close();
  }
}
