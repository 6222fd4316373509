import type { IncomingHttpHeaders } from 'node:http';
import { Agent, errors, Pool, type Dispatcher } from 'undici';
import { createDestinations, DestinationRefused, type Destinations, type Resolve } from './destinations';
import type { Headers } from './headers';
import type { UpstreamTarget } from '../rules/rules';

/** An answer whose body still has to be read, or dumped. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Dispatcher.ResponseData['body'];
  /** Where the answer came from, after redirects. */
  url: URL;
}

export interface Ask {
  method: 'GET' | 'HEAD';
  /** Path and query. */
  path: string;
  headers: Headers;
  signal: AbortSignal;
  /** Redirects to other hosts: followed without credentials, or handed back as the answer. The own host's are followed. */
  elsewhere: 'follow' | 'return';
}

/** A registry that can be asked. */
export interface Upstream extends UpstreamTarget {
  /** @throws UpstreamError when there is no answer. */
  ask(question: Ask): Promise<Answer>;
  /**
   * The rules name it no more: its connections are closed as answers end. Who still has a question gets an answer.
   * Resolves when the last connection is closed.
   */
  retire(): Promise<void>;
  /** Breaks off everything. */
  close(): Promise<void>;
}

/** There is no answer: why, in the words of the registry's error shape. */
export class UpstreamError extends Error {
  override name = 'UpstreamError';

  constructor(
    readonly reason: 'unreachable' | 'timeout' | 'nonsense' | 'refused' | 'gone',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface UpstreamLimits {
  connectTimeoutMs: number;
  answerTimeoutMs: number;
  idleTimeoutMs: number;
  connections: number;
}

const MAX_HOPS = 3;
const MAX_HEADER_BYTES = 32 * 1024;
/** Bytes of a redirect's body that are read to keep its connection. */
const REDIRECT_BODY_BYTES = 64 * 1024;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** One pool of connections for the upstream itself, one agent for the hosts it redirects to. */
export function openUpstream(target: UpstreamTarget, limits: UpstreamLimits, resolve?: Resolve): Upstream {
  const destinations = createDestinations(target, resolve);
  const timeoutMs = limits.connectTimeoutMs + limits.answerTimeoutMs;
  const opened = new Set<Connections>();
  let current: Connections | undefined;
  let retired = false;
  let closed = (): void => {};

  function take(): Connections {
    current ??= connect(target, limits, destinations);
    opened.add(current);
    current.asking += 1;
    return current;
  }

  function giveBack(connections: Connections): void {
    connections.asking -= 1;
    if (retired && connections.asking === 0) void closeGently(connections);
  }

  /** Answers that are under way are read to their end first. */
  async function closeGently(connections: Connections): Promise<void> {
    if (connections === current) current = undefined;
    await Promise.allSettled([connections.own.close(), connections.others.close()]);
    opened.delete(connections);
    closed();
  }

  async function askOver({ own, others }: Connections, question: Ask): Promise<Answer> {
    let url = new URL(`${target.url}${question.path}`);
    let asked = question;
    for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
      const over = url.origin === target.url ? own : others;
      const answer = await attempt(() => askOnce(over, url, asked, timeoutMs), question.signal);
      const next = atHome(redirectOf(answer), target);
      if (next === undefined) return answer;
      if (next.origin !== target.url && question.elsewhere === 'return') return answer;
      await answer.body.dump({ limit: REDIRECT_BODY_BYTES }).catch(() => {});
      // A redirect must not take the request from a private connection to an open one.
      if (url.protocol === 'https:' && next.protocol === 'http:') break;
      if (next.origin !== target.url) await destinations.check(next).catch(refused);
      if (next.origin !== url.origin) asked = { ...asked, headers: forOtherHosts(asked.headers) };
      url = next;
    }
    throw new UpstreamError('nonsense', 'the upstream redirects too often or to an insecure address');
  }

  return {
    ...target,
    async ask(question) {
      const connections = take();
      try {
        return await askOver(connections, question);
      } finally {
        giveBack(connections);
      }
    },
    retire() {
      retired = true;
      return new Promise((resolve) => {
        closed = resolve;
        if (current === undefined) closed();
        else if (current.asking === 0) void closeGently(current);
      });
    },
    async close() {
      await Promise.all([...opened].flatMap(({ own, others }) => [own.destroy(), others.destroy()]));
    },
  };
}

interface Connections {
  own: Pool;
  others: Agent;
  /** Questions that have no answer yet. */
  asking: number;
}

function connect(target: UpstreamTarget, limits: UpstreamLimits, destinations: Destinations): Connections {
  const options = {
    connections: limits.connections,
    headersTimeout: limits.answerTimeoutMs,
    bodyTimeout: limits.idleTimeoutMs,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const timeout = limits.connectTimeoutMs;
  return {
    own: new Pool(target.url, { ...options, connect: { timeout, lookup: destinations.own } }),
    others: new Agent({ ...options, connect: { timeout, lookup: destinations.elsewhere } }),
    asking: 0,
  };
}

/**
 * The time limit is on all of it, waiting for a free connection included: undici begins its own anew with every
 * informational answer.
 */
async function askOnce(over: Dispatcher, url: URL, { method, headers, signal }: Ask, timeoutMs: number) {
  const controller = new AbortController();
  const late = () => controller.abort(new DOMException('no answer in time', 'TimeoutError'));
  const timer = setTimeout(late, timeoutMs);
  const giveUp = () => controller.abort(signal.reason);
  const forget = () => signal.removeEventListener('abort', giveUp);
  signal.addEventListener('abort', giveUp);
  if (signal.aborted) giveUp();
  try {
    // Undici closes a connection after a HEAD unless told not to: registries are asked too often for that.
    const request = { origin: url.origin, method, path: `${url.pathname}${url.search}`, headers, reset: false };
    const { statusCode: status, headers: said, body } = await over.request({ ...request, signal: controller.signal });
    body.once('close', forget);
    if (status >= 200 && status <= 599) return { status, headers: said, body, url };
    await body.dump({ limit: REDIRECT_BODY_BYTES }).catch(() => {});
    throw new UpstreamError('nonsense', 'the upstream registry answered with a status that there is not');
  } catch (error) {
    forget();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The body of a 200, up to `maxBytes`; undefined for any other answer, which is read to its end, for a longer one, and
 * for one in an encoding that nobody asked for.
 *
 * @throws UpstreamError when it breaks off.
 */
export async function readBody({ status, headers, body }: Answer, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    if (status !== 200 || maxBytes === 0 || headers['content-encoding'] !== undefined) {
      await body.dump({ limit: REDIRECT_BODY_BYTES });
      return undefined;
    }
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) return undefined; // leaving the loop destroys the body
      chunks.push(chunk);
    }
  } catch (error) {
    throw explain(error);
  }
  return Buffer.concat(chunks);
}

/** Where an answer redirects to; undefined when it is no redirect or names no web address. */
export function redirectOf(answer: Pick<Answer, 'status' | 'headers' | 'url'>): URL | undefined {
  const location = answer.headers['location'];
  if (!REDIRECTS.includes(answer.status) || location === undefined || !URL.canParse(location, answer.url.href))
    return undefined;
  const url = new URL(location, answer.url);
  const plain = ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.password === '';
  return plain ? url : undefined;
}

/** The public address of the upstream is the upstream, too. */
function atHome(url: URL | undefined, { url: own, publicUrl }: UpstreamTarget): URL | undefined {
  return url?.origin === publicUrl && url !== undefined ? new URL(`${own}${url.pathname}${url.search}`) : url;
}

/** What of a request another host gets to see: what it has to know to answer, and nothing that could be a secret. */
const FOR_OTHER_HOSTS: ReadonlySet<string> = new Set([
  'accept', 'accept-encoding', 'cache-control', 'if-match', 'if-modified-since', 'if-none-match', 'if-range',
  'if-unmodified-since', 'range', 'user-agent',
]); // prettier-ignore

function forOtherHosts(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => FOR_OTHER_HOSTS.has(name.toLowerCase())));
}

function refused(error: unknown): never {
  throw explain(error);
}

/** Once more when a kept connection turned out to be closed: GET and HEAD may be repeated (RFC 9110, 9.2.2). */
async function attempt(ask: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  try {
    return await ask();
  } catch (first) {
    if (signal.aborted || !isClosedConnection(first)) throw explain(first);
    return ask().catch((second: unknown) => {
      throw explain(second);
    });
  }
}

function isClosedConnection(error: unknown): boolean {
  return error instanceof errors.SocketError || (error as NodeJS.ErrnoException).code === 'ECONNRESET';
}

/** Why there is no answer, from what undici says. */
export function explain(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const cause = { cause: error };
  if (error instanceof DestinationRefused)
    return new UpstreamError('refused', 'the upstream redirects to a host that is not followed', cause);
  const { code, name } = error as NodeJS.ErrnoException;
  if (name === 'AbortError') return new UpstreamError('gone', 'nobody waits for the answer any more', cause);
  if (error instanceof errors.ConnectTimeoutError || code === 'ETIMEDOUT')
    return new UpstreamError('timeout', 'the upstream registry could not be reached in time', cause);
  const late = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
  if (late || name === 'TimeoutError')
    return new UpstreamError('timeout', 'the upstream registry did not answer in time', cause);
  const garbled = error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError;
  if (garbled || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH')
    return new UpstreamError('nonsense', 'the upstream registry answered something that is not HTTP', cause);
  return new UpstreamError('unreachable', `the upstream registry cannot be reached (${code ?? 'error'})`, cause);
}
