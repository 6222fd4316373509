import type { Socket } from 'node:net';
import { brokersOf, explainTls } from '@weir/service';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { CliError, exitCodes } from './io';

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects once, of several brokers to the first in random order that can be reached.
 * @throws CliError (exit code 69) that says in a line why not, of each and without the password.
 */
export async function connectTo(urls: string): Promise<ChannelModel> {
  const reasons: string[] = [];
  for (const url of shuffled(brokersOf(urls))) {
    try {
      return await connectOnce(url);
    } catch (error) {
      reasons.push(explain(error as Error & { code?: string }, url));
    }
  }
  throw new CliError(reasons.sort().join('; '), exitCodes.unavailable);
}

const shuffled = <T>(all: readonly T[]): T[] =>
  all.map((each) => ({ each, at: Math.random() })).sort((a, b) => a.at - b.at).map(({ each }) => each); // prettier-ignore

async function connectOnce(url: string): Promise<ChannelModel> {
  const connection = await connect(url, {
    timeout: CONNECT_TIMEOUT_MS,
    clientProperties: { connection_name: 'weir cli' },
  });
  connection.on('error', () => {}); // whoever uses it sees its calls fail
  return connection;
}

/**
 * Runs `use` with a connection and closes it in the end, whatever happened.
 * @throws CliError (exit code 69) where `use` failed because the connection was lost.
 */
export async function withBroker<T>(url: string, use: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connectTo(url);
  let lost = false;
  connection.on('close', () => (lost = true));
  try {
    return await use(connection);
  } catch (error) {
    if (!lost || error instanceof CliError) throw error;
    throw new CliError(`RabbitMQ at ${shown(url)} was lost on the way: ${replyText(error)}`, exitCodes.unavailable);
  } finally {
    await close(connection);
  }
}

const GOODBYE_MS = 2000;

/** A peer that goes between our goodbye and its own is not waited for: amqplib would, for ever. */
async function close(connection: ChannelModel): Promise<void> {
  const { stream, heartbeater } = connection.connection as unknown as Inside;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, GOODBYE_MS);
    const done = () => (clearTimeout(timer), resolve());
    stream.once('close', done).once('end', done);
    connection.close().then(done, done); // it may be gone already
    if (stream.destroyed) done();
  });
  stream.destroy();
  heartbeater?.clear(); // would keep the process for two more heartbeats
}

/** What amqplib does not declare of its connection. */
interface Inside {
  stream: Socket;
  heartbeater?: { clear(): void };
}

/** Closes a channel. @returns whether the broker has answered, and so has done all that was sent on it. */
export function closeChannel(channel: Channel): Promise<boolean> {
  return new Promise((resolve) => {
    channel.once('close', () => setImmediate(resolve, false)); // comes with the answer, too, and then just before it
    channel.close().then(
      () => resolve(true),
      () => resolve(false), // the broker has closed it
    );
  });
}

/** Hosts, ports and virtual host of AMQP URLs: what may be shown of them. */
export function shown(urls: string): string {
  const shownOf = (url: string) => {
    const { host, pathname } = new URL(url);
    return `${host}${pathname === '/' ? '' : pathname}`;
  };
  return brokersOf(urls).map(shownOf).join(', ');
}

/** The reply code of a channel that the broker closed (404 not found, 406 other arguments, 403 no permission). */
export function replyCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'number' ? code : undefined;
}

/** What the broker said, without the frame around it: `inequivalent arg 'durable' for queue …`. */
export function replyText(error: unknown): string {
  const { message } = error as Error;
  return /with message "(?:[A-Z_]+ - )?(.*)"/s.exec(message)?.[1] ?? message;
}

function explain(error: Error & { code?: string }, url: string): string {
  if (/ACCESS.REFUSED/i.test(error.message) && !/vhost/i.test(error.message)) {
    return `RabbitMQ at ${shown(url)} refuses the user name or password: check AMQP_URL`;
  }
  if (/NOT.ALLOWED|vhost/i.test(error.message)) return `RabbitMQ at ${shown(url)} says: ${replyText(error)}`;
  const reason = explainTls(error) ?? error.code ?? (error.message || 'no answer');
  return `RabbitMQ does not answer at ${shown(url)} (${reason}): is it running, is AMQP_URL right?`;
}
