import type { ChannelModel, Message, Options } from 'amqplib';
import { replyText } from '../broker';

export interface Sender {
  /**
   * Resolves when there is room for it, with what becomes of it: true when the broker has it in a queue for good, false
   * when not, or when that cannot be known. Never rejects.
   */
  send(
    to: { exchange: string; routingKey: string },
    message: Message,
    headers: Record<string, unknown>,
  ): Promise<{
    done: Promise<boolean>;
  }>;
  /** Why a message was not taken, the first time that happened. */
  failure(): string | undefined;
}

/** Messages on their way; beyond them the walk waits. */
const WINDOW = 200;
const CONFIRM_TIMEOUT_MS = 30_000;

/**
 * Sends letters back, on a connection of its own: an alarm of the broker blocks those that publish, and acknowledging
 * must go on. Once one was not taken nothing more is sent.
 */
export async function createSender(
  connection: ChannelModel,
  { timeoutMs = CONFIRM_TIMEOUT_MS }: { timeoutMs?: number } = {},
): Promise<Sender> {
  const channel = await connection.createConfirmChannel();
  const returned = new Set<string>();
  let failure: string | undefined;
  let blocked: string | undefined;
  let serial = 0;
  let underway = 0;
  let room = () => {};
  const fail = (why: string) => {
    failure ??= why;
    room();
  };
  connection.on('blocked', (reason: string) => (blocked = reason));
  connection.on('unblocked', () => (blocked = undefined));
  connection.on('close', () => fail('the connection was lost'));
  channel.on('error', (error: Error) => fail(replyText(error)));
  channel.on('close', () => fail('the connection was lost'));
  channel.on('return', ({ properties }) => returned.add(String(properties.correlationId)));

  const publish = (exchange: string, routingKey: string, body: Buffer, options: Options.Publish): Promise<boolean> =>
    new Promise((resolve) => {
      const correlationId = String((serial += 1));
      const end = (why: string | undefined) => {
        clearTimeout(timer);
        if (why !== undefined) fail(why);
        resolve(why === undefined);
      };
      const late = () =>
        end(blocked === undefined ? 'the broker does not confirm' : `the broker takes no messages now: ${blocked}`);
      const timer = setTimeout(late, timeoutMs);
      try {
        channel.publish(exchange, routingKey, body, { ...options, correlationId }, (refused: unknown) => {
          // It confirms what it gave back all the same, right behind.
          if (returned.delete(correlationId)) return end(`there is no queue ${routingKey}: see \`weir topology\``);
          if (!refused) return end(undefined);
          const nacked = /nacked/.test((refused as Error).message);
          end(nacked ? `the broker refuses it: is ${routingKey || exchange} full?` : 'the connection was lost');
        });
      } catch (error) {
        end((error as Error).message);
      }
    });

  return {
    failure: () => failure,
    async send({ exchange, routingKey }, message, headers) {
      while (underway >= WINDOW && failure === undefined) await new Promise<void>((resolve) => (room = resolve));
      if (failure !== undefined) return { done: Promise.resolve(false) };
      underway += 1;
      const done = publish(exchange, routingKey, message.content, optionsOf(message, headers));
      void done.then(() => {
        underway -= 1;
        room();
      });
      return { done };
    },
  };
}

/** The properties that came with it, so that it is the same message, but for its headers. */
function optionsOf({ properties }: Message, headers: Record<string, unknown>): Options.Publish {
  const { contentType, contentEncoding, messageId, timestamp, type, appId } = properties as Partial<Options.Publish>;
  const kept = { contentType, contentEncoding, messageId, timestamp, type, appId };
  const given = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  return { ...given, persistent: true, mandatory: true, headers };
}
