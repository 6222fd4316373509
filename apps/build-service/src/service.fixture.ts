import { createHealth, readConfig, type Context } from '@weir/service';
import { temporaryDirectory, until } from '@weir/testing';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import pino from 'pino';
import { Registry } from 'prom-client';
import * as tar from 'tar';
import { serve } from './app';
import { variables } from './config';
import { publisherDouble, type PublisherDouble } from './publisher-double';

/** The service in this process, on a free port, with its events in memory. */
export interface Service {
  url: string;
  work: string;
  events: PublisherDouble['events'];
  publisher: PublisherDouble;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Waits until a job has ended and its finished event is there. */
  ended(path: string): Promise<Json>;
  /** As SIGTERM does; the folders stay. */
  stop(): Promise<void>;
}

export type Json = Record<string, unknown>;

export interface Answer {
  status: number;
  headers: Headers;
  body: Json;
}

export interface CallOptions {
  json?: unknown;
  form?: FormData;
  headers?: Record<string, string>;
  /** The key's text; null for none. */
  key?: string | null;
}

export const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** Keys of the fixture: of an organization, of another, and of none. */
export const keys = { acme: 'acme-key', other: 'other-key', operator: 'operator-key' };

export async function startService(
  env: Record<string, string> = {},
  { work, publisher = publisherDouble() }: { work: string; publisher?: PublisherDouble },
): Promise<Service> {
  const config = readConfig(variables, {
    BUILD_SERVICE_PORT: '0',
    WORK_DIR: work,
    BUILD_KEYS: `acme:${sha256(keys.acme)}:acme.example,other:${sha256(keys.other)}:other.example,operator:${sha256(keys.operator)}`,
    ...env,
  });
  const releases: (() => unknown)[] = [];
  const context: Context = {
    name: 'build-service',
    version: '0',
    host: '127.0.0.1',
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    health: createHealth(),
    signal: new AbortController().signal,
    onStop: (_what, release) => void releases.push(release),
    onReload: () => {},
  };
  const port = await serve(config, context, publisher);
  const url = `http://127.0.0.1:${port}`;
  const call: Service['call'] = async (method, path, { json, form, headers = {}, key = keys.acme } = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json !== undefined && { body: typeof json === 'string' ? json : JSON.stringify(json) }),
      ...(form && { body: form }),
    });
    const text = await response.text();
    const body = (response.headers.get('content-type') ?? '').includes('json') ? (JSON.parse(text) as Json) : { text };
    return { status: response.status, headers: response.headers, body };
  };
  return {
    url,
    work,
    publisher,
    events: publisher.events,
    call,
    async ended(path) {
      let body: Json = {};
      await until(async () => {
        ({ body } = await call('GET', path, { key: keys.operator }));
        return publisher.events.some(({ id }) => id === `${String(body['id'])}-finished`);
      });
      return body;
    },
    async stop() {
      for (const release of releases.splice(0).reverse()) await release();
    },
  };
}

/** A form for POST /builds with a context made of these files. */
export async function buildForm(build: unknown, files: Record<string, string | Buffer>): Promise<FormData> {
  const form = new FormData();
  form.set('build', JSON.stringify(build));
  form.set('context', new Blob([await tarOf(files)]), 'context.tar');
  return form;
}

export async function tarOf(files: Record<string, string | Buffer>): Promise<Buffer> {
  return archive(
    Object.entries(files).map(([path, content]) => ({ path, content, type: 'File' })), // the order is kept
  );
}

export interface RawEntry {
  path: string;
  type: string;
  content?: string | Buffer;
  linkpath?: string;
  /** What the header says when it lies. */
  size?: number;
}

/** An archive of exactly these entries, however unsafe they are: no archiver would write some of them. */
export function archive(entries: readonly RawEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, type, content = '', linkpath, size }) => {
    const body = Buffer.from(content);
    const header = new tar.Header({
      path, type: type as 'File', mode: 0o755, uid: 0, gid: 0, size: size ?? body.length, mtime: new Date(0),
      ...(linkpath !== undefined && { linkpath }),
    }); // prettier-ignore
    const block = Buffer.alloc(512);
    header.encode(block, 0);
    return [block, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** A registry that takes connections and never answers: whatever is pushed there hangs until somebody ends it. */
export async function startTarPit(): Promise<{ host: string; connections: () => number; stop(): void }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).resume();
    socket.on('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => sockets.size,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export { temporaryDirectory, until };
