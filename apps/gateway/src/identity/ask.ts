import { Agent, request } from 'undici';

export interface Question {
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
}

/** What an identity provider said. */
export interface Reply {
  status: number;
  /** The body of a 200. */
  json: unknown;
}

/** Asks identity providers: at the URL that is configured and nowhere else, for a redirect is an answer like any other. */
export interface Asking {
  /** @throws an error when there is no answer in time, none that ends within its size, or a 200 that is no JSON. */
  ask(url: string, question: Question): Promise<Reply>;
  /** Gives up what is being asked. */
  close(): Promise<void>;
}

/** Sets of keys and descriptions of a user have a few KiB. */
const MAX_REPLY_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const CONNECTIONS = 16;

/** `timeoutMs` is for a question as a whole. */
export function createAsking({ timeoutMs }: { timeoutMs: number }): Asking {
  const agent = new Agent({
    connections: CONNECTIONS,
    connect: { timeout: timeoutMs },
    maxHeaderSize: MAX_HEADER_BYTES,
    maxResponseSize: MAX_REPLY_BYTES,
    // A connection for each question: they are rare, and none is lost to a connection that had just been closed.
    pipelining: 0,
  });
  return {
    async ask(url, question) {
      const signal = AbortSignal.timeout(timeoutMs);
      const { statusCode: status, body } = await request(url, { ...question, signal, dispatcher: agent });
      if (status === 200) return { status, json: await body.json() };
      body.dump().catch(() => {});
      return { status, json: undefined };
    },
    close: () => agent.destroy(),
  };
}

/** Why there is no answer, in a word: what a provider or a client wrote is no part of it. */
export function reasonOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return name === 'SyntaxError' ? 'no JSON' : typeof code === 'string' ? code : name;
}

/** A URL for the log: its query may hold what is nobody's business. */
export function placeOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
