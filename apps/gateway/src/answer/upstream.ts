import type { IncomingHttpHeaders } from 'node:http';
import { Agent, errors, Pool, type Dispatcher } from 'undici';
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
  close(): Promise<void>;
}

/** There is no answer: why, in the words of the registry's error shape. */
export class UpstreamError extends Error {
  override name = 'UpstreamError';

  constructor(
    readonly reason: 'unreachable' | 'timeout' | 'nonsense' | 'gone',
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
export function openUpstream(target: UpstreamTarget, limits: UpstreamLimits): Upstream {
  const options = {
    connections: limits.connections,
    connect: { timeout: limits.connectTimeoutMs },
    headersTimeout: limits.answerTimeoutMs,
    bodyTimeout: limits.idleTimeoutMs,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const own = new Pool(target.url, options);
  const others = new Agent(options);

  async function askOnce(url: URL, { method, headers, signal }: Ask): Promise<Answer> {
    const path = `${url.pathname}${url.search}`;
    // Undici closes a connection after a HEAD unless told not to: registries are asked too often for that.
    const request = { method, path, headers, signal, reset: false };
    const answer =
      url.origin === target.url ? await own.request(request) : await others.request({ ...request, origin: url.origin });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body, url };
  }

  return {
    ...target,
    async ask(question) {
      let url = new URL(`${target.url}${question.path}`);
      let asked = question;
      for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
        const answer = await attempt(() => askOnce(url, asked), question.signal);
        const next = atHome(redirectOf(answer), target);
        if (next === undefined) return answer;
        if (next.origin !== target.url && question.elsewhere === 'return') return answer;
        // A redirect must not take the request from a private connection to an open one.
        if (url.protocol === 'https:' && next.protocol === 'http:') break;
        await answer.body.dump({ limit: REDIRECT_BODY_BYTES }).catch(() => {});
        if (next.origin !== url.origin) asked = { ...asked, headers: forOtherHosts(asked.headers) };
        url = next;
      }
      throw new UpstreamError('nonsense', 'the upstream redirects too often or to an insecure address');
    },
    async close() {
      await Promise.all([own.destroy(), others.destroy()]);
    },
  };
}

/** The body of a 200, up to `maxBytes`; undefined for any other answer, which is read to its end, and a longer one. */
export async function readBody({ status, body }: Answer, maxBytes: number): Promise<Buffer | undefined> {
  if (status !== 200 || maxBytes === 0) {
    await body.dump({ limit: REDIRECT_BODY_BYTES });
    return undefined;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return undefined; // leaving the loop destroys the body
    chunks.push(chunk);
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

function explain(error: unknown): UpstreamError {
  const cause = { cause: error };
  const { code, name } = error as NodeJS.ErrnoException;
  if (name === 'AbortError') return new UpstreamError('gone', 'nobody waits for the answer any more', cause);
  if (error instanceof errors.ConnectTimeoutError || name === 'TimeoutError' || code === 'ETIMEDOUT')
    return new UpstreamError('timeout', 'the upstream registry could not be reached in time', cause);
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError)
    return new UpstreamError('timeout', 'the upstream registry did not answer in time', cause);
  if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError)
    return new UpstreamError('nonsense', 'the upstream registry answered something that is not HTTP', cause);
  return new UpstreamError('unreachable', `the upstream registry cannot be reached (${code ?? 'error'})`, cause);
}
