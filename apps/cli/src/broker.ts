import { connect, type ChannelModel } from 'amqplib';
import { explainTls } from '@weir/service';
import { CliError, exitCodes } from './io';

const CONNECT_TIMEOUT_MS = 10_000;

/** Connects once. @throws CliError (exit code 69) that says in a line why not, without the password. */
export async function connectTo(url: string): Promise<ChannelModel> {
  try {
    const connection = await connect(url, {
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: 'weir cli' },
    });
    connection.on('error', () => {}); // whoever uses it sees its calls fail
    return connection;
  } catch (error) {
    throw new CliError(explain(error as Error & { code?: string }, url), exitCodes.unavailable);
  }
}

/** Runs `use` with a connection and closes it in the end, whatever happened. */
export async function withBroker<T>(url: string, use: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connectTo(url);
  try {
    return await use(connection);
  } finally {
    await connection.close().catch(() => {}); // may be gone already
  }
}

/** Host, port and virtual host of an AMQP URL: what may be shown of it. */
export function shown(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname === '/' ? '' : pathname}`;
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
