import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { HttpError, InfluxDB, setLogger } from '@influxdata/influxdb-client';
import type { Transport } from '@influxdata/influxdb-client';
import { explainTls } from '@weir/service';

// The client logs what it also throws, whole lines of data included. Weir's own log says it once, without them.
setLogger({ error: () => undefined, warn: () => undefined });

/** How to reach an InfluxDB server. */
export interface ServerOptions {
  /** `http://host:8086`; a user and password in it are used and never shown. */
  url: string;
  /** API token of 2.x and 3.x. Without one, the password in `url` is the token there. */
  token?: string | undefined;
  /** Organization of 2.x that owns the buckets. */
  org?: string | undefined;
  /** The longest that one request may take, milliseconds. */
  timeoutMs?: number;
}

/** One result of one statement of a query; a large one comes in several pieces. */
export interface Rows {
  /** Which statement of the query, from 0. */
  statement: number;
  name: string;
  tags: Record<string, string>;
  columns: string[];
  values: (string | number | boolean | null)[][];
}

/** A server that has said what it is. */
export interface Server {
  /** Version as the server says it, `1.6.7`. */
  version: string;
  major: number;
  /** Where it is, without credentials: for logs and messages. */
  address: string;
  /**
   * Stores lines with nanosecond timestamps; resolves when the server has answered that it has them all. One request:
   * the caller keeps it to at most 5,000 lines or a few MB.
   * @throws {ServerError} see its `kind`
   */
  write(database: string, lines: readonly string[]): Promise<void>;
  /**
   * Runs InfluxQL (several statements, `;` between them), streamed. Times come as RFC 3339 text with up to nine digits,
   * because nanoseconds as numbers are larger than 2^53.
   * @throws {ServerError} also when a single statement failed
   */
  query(database: string, statements: string): AsyncIterable<Rows>;
  /**
   * Creates the database on 1.x when it is missing, its points kept for so many days (0: for ever). One that is there
   * stays as it is. 2.x and 3.x keep buckets that an administrator makes.
   */
  ensureDatabase(database: string, retentionDays?: number): Promise<void>;
  close(): void;
}

/** What went wrong between Weir and InfluxDB. Messages never hold credentials. */
export class ServerError extends Error {
  constructor(
    /**
     * `data`: the server refuses some of the lines (400, 413, 422; good ones among them may be stored all the same).
     * `setup`: wrong credentials, no right, no such database (401, 403, 404): a person has to act.
     * `unavailable`: everything else; trying again later may help.
     */
    readonly kind: 'data' | 'setup' | 'unavailable',
    message: string,
    readonly status?: number,
  ) {
    super(message);
    this.name = 'ServerError';
  }
}

/**
 * Asks the server what it is and returns the right way to talk to it: 1.x is written through `/write`, 2.x and 3.x
 * through `/api/v2/write`, in every case by the transport of the official client (1.x before 1.8 has no other path, as
 * reference servers-without-docker 3.2 tried out). All of them are read through `/query`.
 * @throws {ServerError} when it cannot be reached or is no InfluxDB
 */
export async function connectServer(options: ServerOptions): Promise<Server> {
  const { url, credentials } = withoutCredentials(options.url);
  const address = url.replace(/\/$/, '');
  const timeoutMs = options.timeoutMs ?? 30_000;
  const version = await askVersion(address, timeoutMs);
  const major = Number(version.split('.')[0]);
  const agent = new (url.startsWith('https:') ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 4 });
  const influx = new InfluxDB({
    url,
    ...authorization(major, credentials, options.token),
    timeout: timeoutMs,
    transportOptions: { agent },
  });
  const transport = timed(influx.transport, timeoutMs);

  // Not through the client's own writer: that one measures every line, and what it retries or keeps back it does without
  // telling (reference style-and-libraries B5). One request for one call.
  const write = (database: string, lines: readonly string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const failed = (error: unknown): void => reject(explained(error, address, database));
      let answered = 204;
      transport.send(writePath(major, database, options.org), lines.join('\n'), WRITE, {
        responseStarted: (_, status = 0) => (answered = status),
        error: failed,
        complete: () => (answered === 204 ? resolve() : failed(new HttpError(answered, `answers ${answered} for 204`))),
      });
    });

  const query = (database: string, statements: string) => run(transport, address, database, statements);

  return {
    version,
    major,
    address,
    write,
    query,
    async ensureDatabase(database, retentionDays = 0) {
      if (major >= 2) return;
      // Asked first: who may write need not be allowed to create.
      for await (const rows of query('', 'SHOW DATABASES')) if (rows.values.some(([name]) => name === database)) return;
      const keeping = retentionDays > 0 ? ` WITH DURATION ${retentionDays}d` : '';
      for await (const rows of query('', `CREATE DATABASE ${identifier(database)}${keeping}`)) void rows;
    },
    close: () => agent.destroy(),
  };
}

const WRITE = { method: 'POST', headers: { 'content-type': 'text/plain; charset=utf-8' } };

function writePath(major: number, database: string, org = ''): string {
  // 1.x calls microseconds `u` where 2.x says `us`, and takes `us` for nanoseconds without a word: only ns is used.
  const name = encodeURIComponent(database);
  if (major < 2) return `/write?db=${name}&precision=ns`;
  return `/api/v2/write?org=${encodeURIComponent(org)}&bucket=${name}&precision=ns`;
}

/** A name in InfluxQL: `"weir"`. */
export function identifier(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

/** A text as InfluxQL writes it as a value. */
export function literal(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&').replaceAll('\n', '\\n')}'`;
}

async function* run(transport: Timed, address: string, database: string, statements: string): AsyncGenerator<Rows> {
  const path = `/query?db=${encodeURIComponent(database)}&chunked=true&chunk_size=10000`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const body = `q=${encodeURIComponent(statements)}`;
  try {
    for await (const line of linesOf(transport.iterate(path, body, { method: 'POST', headers }))) {
      const answer = JSON.parse(line) as Answer;
      if (answer.error !== undefined) throw statementError(answer.error, address, database);
      for (const result of answer.results ?? []) {
        if (result.error !== undefined) throw statementError(result.error, address, database);
        for (const { name = '', tags = {}, columns, values = [] } of result.series ?? []) {
          yield { statement: result.statement_id ?? 0, name, tags, columns, values };
        }
      }
    }
  } catch (error) {
    throw explained(error, address, database);
  }
}

interface Answer {
  error?: string;
  results?: {
    statement_id?: number;
    error?: string;
    series?: { name?: string; tags?: Record<string, string>; columns: string[]; values?: Rows['values'] }[];
  }[];
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let pending: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...pending, chunk.subarray(from, end)]).toString();
      pending = [];
      from = end + 1;
      if (line.trim() !== '') yield line;
    }
    if (from < chunk.length) pending.push(chunk.subarray(from));
  }
  const last = Buffer.concat(pending).toString();
  if (last.trim() !== '') yield last;
}

async function askVersion(address: string, timeoutMs: number): Promise<string> {
  let response: Response;
  try {
    response = await fetch(`${address}/ping`, { signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' });
  } catch (error) {
    throw explained(error, address, '');
  }
  const text = await response.text().catch(() => '');
  const said = response.headers.get('x-influxdb-version') ?? (/"version"\s*:\s*"([^"]+)"/.exec(text)?.[1] || '');
  const version = /\d+\.\d+(\.\d+)?/.exec(said)?.[0];
  if (version !== undefined) return version;
  if (response.status >= 500)
    throw new ServerError('unavailable', `InfluxDB at ${address} answers ${response.status} to /ping`, response.status);
  // 3.x may want a token even for /ping, and says so in its own words.
  if (response.status === 401 || response.status === 403) return '3.0.0';
  throw new ServerError(
    'setup',
    `what answers at ${address} is no InfluxDB (GET /ping: ${response.status}, no X-Influxdb-Version): check INFLUX_URL`,
    response.status,
  );
}

function authorization(major: number, credentials: Credentials | undefined, token: string | undefined) {
  if (major >= 2) {
    const secret = token || credentials?.password;
    return secret ? { token: secret } : {};
  }
  const [user, password] = credentials
    ? [credentials.user, credentials.password]
    : [token?.split(':')[0], token?.split(':').slice(1).join(':')];
  if (!user) return {};
  return { headers: { authorization: `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}` } };
}

interface Credentials {
  user: string;
  password: string;
}

function withoutCredentials(text: string): { url: string; credentials: Credentials | undefined } {
  const url = new URL(text);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  const credentials =
    username === '' && password === ''
      ? undefined
      : { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { url: url.href, credentials };
}

type Timed = Pick<Transport, 'send' | 'iterate'>;

/**
 * Gives every request an end: the client's own time-out reports, but leaves the connection hanging. Not by
 * `AbortSignal.timeout`: that keeps all of a request, its lines too, until the time is over, answered or not.
 */
function timed(transport: Transport, timeoutMs: number): Timed {
  const begin = () => {
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), timeoutMs).unref();
    return { signal: aborter.signal, end: () => clearTimeout(timer) };
  };
  return {
    send(path, body, options, callbacks) {
      const { signal, end } = begin();
      const ending: typeof callbacks = {
        ...callbacks,
        // Some 3.x say 201 when they stored a part only, and the client takes that for success.
        responseStarted: (headers, status) => callbacks?.responseStarted?.(headers, status === 201 ? 422 : status),
        error(error) {
          end();
          callbacks?.error?.(error);
        },
        complete() {
          end();
          callbacks?.complete?.();
        },
      };
      transport.send(path, body, { ...options, signal }, ending);
    },
    async *iterate(path, body, options) {
      const { signal, end } = begin();
      try {
        yield* transport.iterate(path, body, { ...options, signal });
      } finally {
        end();
      }
    },
  };
}

/** A failure in words for a person: what, where, what to do. Never the request, which may hold credentials and data. */
function explained(error: unknown, address: string, database: string): ServerError {
  if (error instanceof ServerError) return error;
  if (!(error instanceof HttpError)) {
    const cause = error as { code?: unknown; message?: unknown; cause?: { code?: unknown; message?: unknown } };
    const why = explainTls(error) ?? cause.code ?? cause.cause?.code ?? cause.cause?.message ?? cause.message;
    return new ServerError('unavailable', `InfluxDB at ${address} cannot be reached: ${String(why)}`);
  }
  const status = error.statusCode;
  const said = reasonOf(error);
  switch (status) {
    case 400:
    case 413:
    case 422:
      // What is wrong with the request is wrong with every event: parking them one by one would empty the queue.
      if (
        !/partial write|unable to parse/i.test(said) &&
        /\borg(id|anization)?\b|\bbucket\b|database is required|precision/i.test(said)
      ) {
        return new ServerError(
          'setup',
          `InfluxDB at ${address} refuses requests for '${database}' (${status}: ${said}): check INFLUX_ORG and INFLUX_DATABASE`,
          status,
        );
      }
      return new ServerError('data', said, status);
    case 401:
    case 403:
      return new ServerError(
        'setup',
        `InfluxDB at ${address} refuses the credentials (${status}: ${said}): check the user and password in INFLUX_URL, or INFLUX_TOKEN, and that they may read and write '${database}'`,
        status,
      );
    case 404:
      return new ServerError(
        'setup',
        `InfluxDB at ${address} has no '${database}' (404: ${said}): create the database or bucket, or check INFLUX_DATABASE and INFLUX_ORG`,
        status,
      );
    default:
      return new ServerError('unavailable', `InfluxDB at ${address} answers ${status}: ${said}`, status);
  }
}

function statementError(message: string, address: string, database: string): ServerError {
  if (/(database|bucket)\b.*not found|no dbrp mapping/i.test(message)) {
    return new ServerError('setup', `InfluxDB at ${address} has no '${database}' (${message}): check INFLUX_DATABASE`);
  }
  return new ServerError('unavailable', `InfluxDB at ${address} cannot answer a query: ${message}`);
}

function reasonOf(error: HttpError): string {
  const json = error.json as { error?: unknown; message?: unknown } | undefined;
  const text =
    typeof json?.error === 'string' ? json.error : typeof json?.message === 'string' ? json.message : error.body;
  return (text || error.statusMessage || 'no reason given').slice(0, 500);
}
