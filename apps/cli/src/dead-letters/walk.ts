import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { closeChannel, replyCode, replyText } from '../broker';
import { CliError, exitCodes } from '../io';

/** What becomes of a letter: it stays; or it goes, at once or when the promise says so. `last` ends the walk. */
export interface Verdict {
  goes: boolean | Promise<boolean>;
  last?: boolean;
}

export interface WalkOptions {
  queue: string;
  /** Asked for one letter after the other, in the order of the queue; while it thinks, nothing more is taken. */
  visit(message: ConsumeMessage): Promise<Verdict>;
  /** Ends the walk early. */
  signal: AbortSignal;
  /** Letters that are out at one time unseen; tests take fewer. */
  prefetch?: number;
  /** How long letters may be kept out, milliseconds; tests take less. */
  limitMs?: number;
}

export interface Walked {
  /** How many letters there were to see at the beginning; undefined when there is no such queue. */
  there: number | undefined;
  seen: number;
  /** Why the walk ended before the last of them, where it did. */
  stopped?: 'interrupted' | 'too long' | 'too many';
}

/** Bodies that are in our memory at one time, at most. */
const PREFETCH = 1000;
/** Together half a million letters that stay; a connection has 2,047 channels. */
const MAX_SECTIONS = 500;
/** The broker takes a channel's letters back after 30 minutes (consumer_timeout): we are through before that. */
const LIMIT_MS = 20 * 60_000;
/** How long nothing has to come before the queue is asked whether there is anything left. */
const IDLE_MS = 250;

/**
 * Goes through a queue from its oldest letter on, once, and takes away what `visit` says; everything else is given
 * back, in its old order. Nothing is lost whenever we are killed: what is not acknowledged, the broker gives back.
 *
 * Letters that come in meanwhile (or come back) are not gone after: the walk ends after as many as there were at its
 * beginning. A letter that stays is kept out until the end, for given back at once it would come again. It is the
 * broker that remembers it, not we. One consumer holds `prefetch` of them; then a further one, on a channel of its own,
 * takes those that follow. (Fetching them singly is a hundred times slower, and each would count as a consumer.)
 */
export async function walk(connection: ChannelModel, options: WalkOptions): Promise<Walked> {
  const { queue, visit, signal, prefetch = PREFETCH, limitMs = LIMIT_MS } = options;
  const there = await countIn(connection, queue);
  if (there === undefined) return { there, seen: 0 };
  const deadline = Date.now() + limitMs;
  const sections: Section[] = [];
  const going = new Set<Promise<void>>();
  let seen = 0;
  let stopped: Walked['stopped'];
  try {
    for (let last = false; seen < there && !last;) {
      stopped = signal.aborted ? 'interrupted' : Date.now() > deadline ? 'too long' : undefined;
      if (stopped) break;
      let section = sections.at(-1);
      if (!section || section.full()) {
        if (sections.length === MAX_SECTIONS) stopped = 'too many';
        if (stopped) break;
        sections.push((section = await openSection(connection, queue, prefetch)));
      }
      const next = await section.next();
      if (next === 'nothing left') break;
      if (next === 'nothing yet') continue;
      seen += 1;
      const verdict = await visit(next);
      last = verdict.last === true;
      const settled = section.settle(next, verdict.goes).finally(() => going.delete(settled));
      going.add(settled);
    }
  } finally {
    await Promise.all(going);
    for (const section of sections) await section.cancel();
    for (const section of sections) await section.giveBack();
  }
  for (const section of sections) section.check();
  return { there, seen, ...(stopped ? { stopped } : {}) };
}

async function countIn(connection: ChannelModel, queue: string): Promise<number | undefined> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  try {
    const { messageCount } = await channel.checkQueue(queue);
    await closeChannel(channel);
    return messageCount;
  } catch (error) {
    if (replyCode(error) === 404) return undefined;
    throw lost(error);
  }
}

interface Section {
  /** Whether all that it can hold out are letters that stay. */
  full(): boolean;
  next(): Promise<ConsumeMessage | 'nothing yet' | 'nothing left'>;
  settle(message: ConsumeMessage, goes: boolean | Promise<boolean>): Promise<void>;
  /** No more letters come after this. */
  cancel(): Promise<void>;
  giveBack(): Promise<void>;
  /** @throws CliError when it is not known whether what should go has gone. */
  check(): void;
}

async function openSection(connection: ChannelModel, queue: string, prefetch: number): Promise<Section> {
  const channel = await connection.createChannel();
  const waiting: ConsumeMessage[] = [];
  /** Delivery tags of all letters that are out, in their order. */
  const out = new Set<number>();
  let staying = 0;
  let closing = false;
  let failure: CliError | undefined;
  let wake = () => {};
  const fail = (error: unknown) => {
    failure ??= lost(error);
    wake();
  };
  channel.on('error', fail);
  channel.on('close', () => {
    if (!closing) fail(new Error('the channel closed'));
  });
  await channel.prefetch(prefetch, false);
  const take = (message: ConsumeMessage | null) => {
    if (!message) return fail(new Error(`the queue ${queue} was deleted`));
    out.add(message.fields.deliveryTag);
    waiting.push(message);
    wake();
  };
  const { consumerTag } = await channel.consume(queue, take, { noAck: false }).catch((error: unknown) => {
    throw lost(error);
  });

  const remove = (message: ConsumeMessage) => {
    if (failure) return; // the broker has given it back, or gives it to somebody else: it is not ours any more
    try {
      channel.ack(message);
      out.delete(message.fields.deliveryTag);
    } catch (error) {
      fail(error);
    }
  };
  return {
    full: () => staying >= prefetch && waiting.length === 0,
    async next() {
      if (waiting.length === 0 && !failure) await pauseUnless((woken) => (wake = woken));
      if (failure) throw failure;
      const message = waiting.shift();
      if (message) return message;
      // Whatever was sent to us before the answer is here when the answer is.
      const { messageCount } = await channel.checkQueue(queue).catch((error: unknown) => Promise.reject(lost(error)));
      if (waiting.length > 0 || messageCount > 0) return 'nothing yet';
      return 'nothing left';
    },
    async settle(message, goes) {
      if (await Promise.resolve(goes).catch(() => false)) remove(message);
      else staying += 1;
    },
    async cancel() {
      if (!failure) await channel.cancel(consumerTag).catch(fail);
    },
    async giveBack() {
      if (failure) return;
      closing = true;
      giveBackInOrder(channel, [...out]);
      if (!(await closeChannel(channel))) fail(new Error('no answer'));
    },
    check() {
      if (failure) throw failure;
    },
  };
}

/**
 * RabbitMQ 3.10 keeps what is out in a map and gives back what is returned together in the order of that map: up to 32
 * are in the order of their coming, more are in none. nack, not reject, and not by closing: from RabbitMQ 4.3 on those
 * two count towards a delivery limit.
 */
function giveBackInOrder(channel: Channel, tags: readonly number[]): void {
  for (let at = 0; at < tags.length; at += 32) {
    const last = tags[Math.min(at + 32, tags.length) - 1] as number;
    channel.nack({ fields: { deliveryTag: last } } as ConsumeMessage, true, true);
  }
}

function lost(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const text = `${replyText(error)}. Nothing is lost: what was not done is still there; run it again`;
  return new CliError(`RabbitMQ was lost on the way: ${text}`, exitCodes.unavailable);
}

/** Ends early when what `give` was given is called. */
async function pauseUnless(give: (wake: () => void) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, IDLE_MS);
    give(() => (clearTimeout(timer), resolve()));
  });
}
