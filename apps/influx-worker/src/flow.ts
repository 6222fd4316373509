import { deadQueueOf, keepConnected, queueOf, UNROUTED, WORKERS } from '@weir/bus';
import type { Link, LinkOptions } from '@weir/bus';
import type { Logger } from 'pino';
import { connectServer } from './server';
import type { Server, ServerOptions } from './server';

type Connection = Parameters<LinkOptions['setup']>[0];
type Channel = Awaited<ReturnType<Connection['createChannel']>>;

export interface FlowOptions {
  amqpUrl: string;
  influx: ServerOptions;
  /** Its own database, so that the one of usage holds exactly one point for each event. */
  database: string;
  /** How long samples are kept in a database that is made for them, days; 0 for ever. */
  retentionDays?: number;
  /** Age of the newest event of the last batch when asked, milliseconds; undefined before the first. */
  lagMs(): number | undefined;
  log: Logger;
  intervalMs: number;
  queues?: readonly string[];
}

/** Samples of Weir's own flow, for the dashboard *Event flow*. */
export interface Flow {
  start(): void;
  close(): Promise<void>;
}

/** The queues that a sample is of: each worker's, each worker's dead letters, and what no queue would take. */
export const SAMPLED: readonly string[] = [...WORKERS.map(queueOf), ...WORKERS.map(deadQueueOf), UNROUTED];

/**
 * At every interval one point for each queue, `queue,queue=weir.redis messages=…,consumers=…`, and one for this worker,
 * `worker,worker=influx lagMs=…`. `messages` are those ready to be delivered, as a passive declare counts them.
 *
 * Nothing waits for it: a sample that cannot be taken or stored is left out, with one line of log for each new reason.
 */
export function createFlow(options: FlowOptions): Flow {
  const { log, database, queues = SAMPLED, intervalMs } = options;
  let link: Link | undefined;
  let connection: Connection | undefined;
  let server: Server | undefined;
  let timer: NodeJS.Timeout | undefined;
  let sampling: Promise<void> = Promise.resolve();
  let trouble = '';

  const sample = async (): Promise<void> => {
    if (!connection) return; // the link says why, in the log
    const { lines, missing } = await samplesOf(connection, queues);
    const lag = options.lagMs();
    if (lag !== undefined) lines.push(`worker,worker=influx lagMs=${lag}`);
    if (!server) {
      server = await connectServer(options.influx);
      await server.ensureDatabase(database, options.retentionDays);
    }
    const time = `${Date.now()}000000`;
    await server.write(
      database,
      lines.map((line) => `${line} ${time}`),
    );
    if (missing.length > 0) throw new Error(`no such queue: ${missing.join(', ')}`);
  };

  const tick = async (): Promise<void> => {
    try {
      await sample();
      trouble = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== trouble) log.warn({ reason: message }, 'the sample of the queues is not complete');
      trouble = message;
      server?.close();
      server = undefined;
    }
  };

  return {
    start() {
      if (link) return;
      link = keepConnected({
        url: options.amqpUrl,
        name: 'weir influx-worker flow',
        log,
        setup: async (made) => {
          connection = made;
          made.once('close', () => (connection = undefined));
          sampling = sampling.then(tick);
        },
      });
      timer = setInterval(() => void (sampling = sampling.then(tick)), intervalMs);
    },
    async close() {
      clearInterval(timer);
      await sampling;
      await link?.close();
      server?.close();
    },
  };
}

/** Counts queues by passive declares; one that is missing closes the channel (404), so a new one is made for the rest. */
async function samplesOf(connection: Connection, queues: readonly string[]) {
  const lines: string[] = [];
  const missing: string[] = [];
  let channel: Channel | undefined;
  for (const queue of queues) {
    channel ??= await openChannel(connection);
    try {
      const { messageCount, consumerCount } = await channel.checkQueue(queue);
      lines.push(`queue,queue=${queue} messages=${messageCount},consumers=${consumerCount}`);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 404) throw error;
      missing.push(queue);
      channel = undefined;
    }
  }
  await channel?.close();
  return { lines, missing };
}

async function openChannel(connection: Connection): Promise<Channel> {
  const channel = await connection.createChannel();
  channel.on('error', () => {}); // the call that caused it rejects
  return channel;
}
