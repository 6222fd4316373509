import { setTimeout as pause } from 'node:timers/promises';
import { connect, type ChannelModel } from 'amqplib';
import type { Logger } from 'pino';

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
const RETRY = { initialMs: 100, maxMs: 5000 };

/**
 * Connects in the background, for ever. Never throws: a broker that is down, refuses the credentials or holds other
 * arguments for our queues shows in `state()` and in the log (once per reason), and is tried again with back-off.
 */
export function keepConnected({ url, name, log, setup }: LinkOptions): Link {
  const closing = new AbortController();
  let state: true | string = 'not connected yet';
  let current: ChannelModel | undefined;
  let end: (reason: string) => void = () => {};

  const attempt = async (): Promise<void> => {
    const connection = await connect(withHeartbeat(url), {
      timeout: CONNECT_TIMEOUT_MS,
      noDelay: true,
      clientProperties: { connection_name: name },
    });
    if (closing.signal.aborted) return void connection.close().catch(() => {}); // closed while connecting
    const ended = new Promise<string>((resolve) => {
      end = resolve;
      // Only `close` is certain: an operator's shutdown (320) emits no `error` (reference reliability A.3, L9).
      connection.on('close', (error?: Error) => resolve(error?.message ?? 'closed by the broker'));
      connection.on('error', () => {});
    });
    current = connection;
    try {
      const setUp = withTimeout(setup(connection, end), SETUP_TIMEOUT_MS);
      const early = await Promise.race([setUp, ended]);
      if (typeof early === 'string') throw new Error(early);
      state = true;
      log.info({ link: name }, 'connected to RabbitMQ');
      throw new Error(await ended);
    } finally {
      current = undefined;
      connection.close().catch(() => {}); // usually gone already
    }
  };

  const run = async (): Promise<void> => {
    let tries = 0;
    while (!closing.signal.aborted) {
      await attempt().catch((error: unknown) => {
        if (state === true) tries = 0;
        const reason = explain(error);
        if (reason !== state && !closing.signal.aborted) log.warn({ link: name, reason }, 'not connected to RabbitMQ');
        state = reason;
      });
      tries += 1;
      if (!closing.signal.aborted) await pause(delay(tries), undefined, { signal: closing.signal }).catch(() => {});
    }
  };
  const running = run();

  return {
    state: () => state,
    reset: (reason) => end(reason),
    async close() {
      closing.abort();
      const connection = current;
      if (connection) await withTimeout(connection.close(), 2000).catch(() => {});
      end('closed');
      await running;
    },
  };
}

/** Full jitter under an exponential bound, so that the clients of a restarted broker do not come back as one. */
function delay(tries: number): number {
  return Math.ceil(Math.min(RETRY.maxMs, RETRY.initialMs * 2 ** Math.min(tries, 10)) * (0.1 + 0.9 * Math.random()));
}

function withHeartbeat(url: string): string {
  const withIt = new URL(url);
  if (!withIt.searchParams.has('heartbeat')) withIt.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return withIt.toString();
}

function explain(error: unknown): string {
  const { message, code } = error as Error & { code?: string };
  if (/ACCESS.REFUSED/i.test(message)) {
    return /vhost/.test(message)
      ? `the broker refuses this user its virtual host: ${message}`
      : 'the broker refuses the user name or password of AMQP_URL';
  }
  return message || code || 'unreachable';
}

async function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer from the broker within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
