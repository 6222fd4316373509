import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Who sent a request, as far as counting may know it. The address itself stays in this file. */
export interface ClientSource {
  /** The same for requests of one client program on one host; made with a key of this process, it never leaves it. */
  key: string;
  /** What an event of this request may say of its source: `source`, `country`, `network` … of the event's `data`. */
  facts(): Promise<Readonly<Record<string, unknown>>>;
}

/** Tells who sends requests. */
export interface Sources {
  of(request: IncomingMessage): ClientSource;
}

const MAX_USER_AGENT = 512;

/** Sources by the address of the connection and the user agent. */
export function createSources(): Sources {
  const key = randomBytes(16);
  return {
    of({ socket, headers }) {
      const said = `${socket.remoteAddress}\n${headers['user-agent']?.slice(0, MAX_USER_AGENT)}`;
      return {
        key: createHash('sha256').update(key).update(said).digest('base64url').slice(0, 22),
        facts: async () => ({}),
      };
    },
  };
}
