import { setTimeout as pause } from 'node:timers/promises';
import { connect, type ChannelModel } from 'amqplib';
import { brokersOf, explainTls } from '@weir/service';
import type { Logger } from 'pino';
import { MismatchError } from './mismatch';
import { withTimeout } from './timeout';

/** A connection that is kept up: made again after every loss, with `setup` run on each new one. */
export interface Link {
  /** True while connected and set up; otherwise why not, without credentials. */
  state(): true | string;
  /** Ends the current connection as if it had been lost; a new one is made. For a peer that no longer answers. */
  reset(reason: string): void;
  /** Ends it for good. Channels must have been closed by their owners: closing overtakes what they still write. */
  close(): Promise<void>;
}

export interface LinkOptions {
  /** AMQP URL; or several with commas between them, the brokers of one cluster, of which one is enough. */
  url: string;
  /** Shown in the broker's list of connections. */
  name: string;
  log: Logger;
  /**
   * Makes channels, declares, consumes. Runs on every new connection, top-down; must be safe to repeat. `lost` ends
   * the connection, for a channel or consumer that is gone while the connection lives.
   */
  setup(connection: ChannelModel, lost: (reason: string) => void): Promise<void>;
}

const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const SETUP_TIMEOUT_MS = 30_000;
/** How long a peer may take to agree to the end of a connection before its socket is destroyed. */
const GOODBYE_MS = 2000;
const RETRY = { initialMs: 100, maxMs: 5000 };
/** After a refused declaration: only a person can mend that. */
const MISMATCH_RETRY_MS = 45_000;

/**
 * Connects in the background, for ever. Never throws: a broker that is down, refuses the credentials or holds other
 * arguments for our queues shows in `state()` and in the log (once per reason), and is tried again with back-off.
 */
export function keepConnected({ url, name, log, setup }: LinkOptions): Link {
  const closing = new AbortController();
  let state: true | string = 'not connected yet';
  let failure: unknown;
  const brokers = brokersOf(url);
  /** The last that we were connected to: it may be going down, so that it is tried after all others. */
  let last: string | undefined;
  let end: (reason: string) => void = () => {};

  const connected = (): void => {
    state = true;
    log.info({ link: name, ...(brokers.length > 1 && last ? { broker: hostOf(last) } : {}) }, 'connected to RabbitMQ');
  };
  const gone = (error: unknown): void => {
    const reason = closing.signal.aborted ? 'closed' : explain(error);
    const level = error instanceof MismatchError ? 'error' : 'warn';
    if (reason !== state && !closing.signal.aborted) log[level]({ link: name, reason }, 'not connected to RabbitMQ');
    state = reason;
    failure = error;
  };

  /** Makes one connection and keeps it for as long as it lasts. */
  const attempt = async (): Promise<void> => {
    const socket = new AbortController();
    const connection = await dialAny(socket);
    const ended = new Promise<string>((resolve) => {
      end = resolve;
      // Only `close` is certain: an operator's shutdown (320) emits no `error` (reference reliability A.3, L9).
      connection.on('close', (error?: Error) => resolve(error?.message ?? 'closed by the broker'));
      connection.on('error', () => {});
    });
    try {
      if (closing.signal.aborted) return;
      const early = await Promise.race([withTimeout(setup(connection, end), SETUP_TIMEOUT_MS), ended]);
      if (typeof early !== 'string') connected();
      gone(new Error(await ended));
    } catch (error) {
      gone(error);
    } finally {
      // Before the next connection is made: two generations of channels never overlap.
      await withTimeout(connection.close(), GOODBYE_MS).catch(() => {}); // usually gone already
      socket.abort();
    }
  };

  /** One broker after the other, in random order so that the clients of a cluster spread over it. */
  const dialAny = async (socket: AbortController): Promise<ChannelModel> => {
    const reasons: string[] = [];
    for (const broker of inRandomOrder(brokers, last)) {
      try {
        const connection = await dial(broker, socket);
        last = broker;
        return connection;
      } catch (error) {
        if (closing.signal.aborted || brokers.length === 1) throw error;
        reasons.push(`${hostOf(broker)}: ${explain(error)}`);
      }
    }
    throw new NoBrokerError(reasons.sort().join('; '));
  };

  /** Connects; `socket` destroys the connection whatever its peer does, and so does closing the link meanwhile. */
  const dial = async (broker: string, socket: AbortController): Promise<ChannelModel> => {
    const hangUp = () => socket.abort();
    closing.signal.addEventListener('abort', hangUp);
    try {
      return await connect(withHeartbeat(broker), {
        timeout: CONNECT_TIMEOUT_MS,
        noDelay: true,
        clientProperties: { connection_name: name },
        ...({ signal: socket.signal } as object), // goes on to net.connect or tls.connect, which the types do not say
      });
    } finally {
      closing.signal.removeEventListener('abort', hangUp);
    }
  };

  const run = async (): Promise<void> => {
    let tries = 0;
    while (!closing.signal.aborted) {
      const begun = Date.now();
      await attempt().catch(gone);
      // One that is made and lost at once, again and again, is no success.
      tries = Date.now() - begun > 2 * RETRY.maxMs ? 1 : tries + 1;
      if (!closing.signal.aborted)
        await pause(delay(tries, failure), undefined, { signal: closing.signal }).catch(() => {});
    }
  };
  const running = run();

  return {
    state: () => state,
    reset: (reason) => end(reason),
    async close() {
      closing.abort();
      end('closed');
      await running;
    },
  };
}

/**
 * How long to wait after so many tries, milliseconds. Full jitter under an exponential bound, so that the clients of a
 * restarted broker do not come back as one; 30 to 60 s when the broker refuses our declarations (F16: no storm).
 */
export function delay(tries: number, failure?: unknown): number {
  if (failure instanceof MismatchError) return Math.ceil(MISMATCH_RETRY_MS * (2 / 3 + (2 / 3) * Math.random()));
  return Math.ceil(Math.min(RETRY.maxMs, RETRY.initialMs * 2 ** Math.min(tries, 10)) * (0.1 + 0.9 * Math.random()));
}

/** None of several brokers could be reached; the message says why, of each. */
class NoBrokerError extends Error {}

function inRandomOrder(brokers: readonly string[], last: string | undefined): string[] {
  const rank = new Map(brokers.map((broker) => [broker, broker === last ? 1 : Math.random()]));
  return [...brokers].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
}

/** What may be shown of a URL: no credentials. */
const hostOf = (broker: string): string => new URL(broker).host;

function withHeartbeat(url: string): string {
  const withIt = new URL(url);
  if (!withIt.searchParams.has('heartbeat')) withIt.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return withIt.toString();
}

function explain(error: unknown): string {
  const { message, code } = error as Error & { code?: string };
  if (error instanceof NoBrokerError) return message;
  const tls = explainTls(error);
  if (tls !== undefined) return `the broker cannot be trusted: ${tls}`;
  if (/ACCESS.REFUSED/i.test(message)) {
    return /access to |vhost/.test(message)
      ? `the broker does not let this user do what Weir needs: ${message}`
      : 'the broker refuses the user name or password of AMQP_URL';
  }
  return message || code || 'unreachable';
}
