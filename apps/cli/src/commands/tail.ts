import { EXCHANGE } from '@weir/bus';
import { architecturesOf, decodeEvent, organizationOf, type WeirEvent } from '@weir/events';
import { backoff } from '@weir/service';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { Command, InvalidArgumentError } from 'commander';
import { connectTo, replyCode, replyText, shown } from '../broker';
import { amqpUrl } from '../endpoints';
import { clean, CliError, colours, forPeople, print, type Io } from '../io';

interface Options {
  type?: string[];
  count?: number;
  amqp?: string;
  json?: boolean;
}

const HELP = `
Only events from now on are shown; nothing is taken from a worker. Where more come than can be shown, the oldest
waiting ones are left out.

Examples:
  weir tail
  weir tail --type pull --type 'build*'
  weir tail --json --count 100 | jq -r .data.repository`;

/** `weir tail`: live events from a queue of its own, which goes with the connection. */
export function tailCommand(io: Io): Command {
  return new Command('tail')
    .description('show events as they happen, until Ctrl-C')
    .option('-t, --type <pattern...>', 'only types like this: io.weir.pull, pull, or with * as a wildcard: build*')
    .option('-n, --count <number>', 'stop after so many', positive)
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--json', 'one JSON object a line on a terminal too')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const url = amqpUrl(io, options.amqp);
      const render = forPeople(io, options) ? oneLiner(io) : asJson;
      const wanted = typeFilter(options.type ?? []);
      let left = options.count ?? Infinity;
      const show = async (body: Buffer): Promise<boolean> => {
        const line = render(body, wanted);
        if (line === undefined || left === 0) return left === 0;
        left -= 1;
        await print(io.stdout, line);
        return left === 0;
      };
      await follow(io, url, show);
    });
}

/** Shows messages until `show` says that it was the last, or Ctrl-C; connects again after a loss. */
async function follow(io: Io, url: string, show: (body: Buffer) => Promise<boolean>): Promise<void> {
  const wait = backoff({ initialMs: 200, maxMs: 5000 });
  let connection = await connectTo(url); // the first time a broker that does not answer is an error
  for (;;) {
    const ended = await followOne(io, connection, url, show);
    if (ended === 'done') return;
    io.stderr.write(`weir: lost RabbitMQ at ${shown(url)} (${ended}): connecting again\n`);
    for (let again: ChannelModel | undefined; !again;) {
      await pause(wait.next(), io.signal);
      if (io.signal.aborted) return;
      again = await connectTo(url).catch(() => undefined);
      if (again) connection = again;
    }
    wait.reset();
  }
}

/** The messages that may be on their way to us, unacknowledged: beyond them they wait in the queue. */
const PREFETCH = 200;
/** The events that may wait for a slow reader; beyond them the oldest go. No publisher ever waits for us. */
const MAX_WAITING = 10_000;

async function followOne(
  io: Io,
  connection: ChannelModel,
  url: string,
  show: (body: Buffer) => Promise<boolean>,
): Promise<string> {
  const channel = await connection.createChannel();
  let end: (how: string) => void = () => {};
  const ended = new Promise<string>((resolve) => (end = resolve));
  connection.on('close', (error?: Error) => end(error ? replyText(error) : 'closed'));
  channel.on('error', (error: Error) => end(replyText(error)));
  io.signal.addEventListener('abort', () => end('done'), { once: true });
  if (io.signal.aborted) end('done');
  try {
    await consume(channel, show, end);
  } catch (error) {
    await connection.close().catch(() => {});
    const code = replyCode(error);
    if (code === undefined) return replyText(error); // the connection was lost: try again
    const advice = code === 404 ? ': `weir topology --declare` makes it' : '';
    throw new CliError(`RabbitMQ at ${shown(url)} says: ${replyText(error)}${advice}`);
  }
  io.stderr.write(`weir: following ${EXCHANGE} at ${shown(url)}\n`);
  const how = await ended;
  await connection.close().catch(() => {});
  return how;
}

async function consume(
  channel: Channel,
  show: (body: Buffer) => Promise<boolean>,
  end: (how: string) => void,
): Promise<void> {
  await channel.prefetch(PREFETCH, false);
  // Exclusive: RabbitMQ 4.3 refuses transient queues that are not. It goes with the connection, even one that is cut.
  const { queue } = await channel.assertQueue('', {
    exclusive: true,
    autoDelete: true,
    durable: false,
    maxLength: MAX_WAITING,
  });
  await channel.bindQueue(queue, EXCHANGE, '');
  let showing = Promise.resolve();
  const take = async (message: ConsumeMessage): Promise<void> => {
    const last = await show(message.content);
    try {
      channel.ack(message);
    } catch {
      return; // the channel is gone, and so is the queue
    }
    if (last) end('done');
  };
  await channel.consume(queue, (message) => {
    if (!message) return end('the broker cancelled the consumer');
    showing = showing.then(() => take(message)); // one after the other, in the order of their coming
  });
}

/** Undefined for an event that is not wanted. */
type Render = (body: Buffer, wanted: (type: string) => boolean) => string | undefined;

const asJson: Render = (body, wanted) => {
  const read = decodeEvent(body);
  if (!read.ok) return JSON.stringify({ invalid: read.problems, body: body.toString('utf8').slice(0, 4096) });
  return wanted(read.event.type) ? JSON.stringify(read.event) : undefined;
};

const TIME = { from: 'YYYY-MM-DDT'.length, to: 'YYYY-MM-DDTHH:MM:SS.mmm'.length };

function oneLiner(io: Io): Render {
  const paint = colours(io);
  const outcomes = { succeeded: paint.green, failed: paint.red, cancelled: paint.yellow, 'timed-out': paint.red };
  return (body, wanted) => {
    const read = decodeEvent(body);
    if (!read.ok) {
      const [problem] = read.problems;
      return paint.red(`not an event: ${clean(`${problem?.field ?? ''} ${problem?.message ?? ''}`.trim())}`);
    }
    const { event } = read;
    if (!wanted(event.type)) return undefined;
    const outcome = event.data['outcome'];
    const colour =
      typeof outcome === 'string' && Object.hasOwn(outcomes, outcome)
        ? outcomes[outcome as keyof typeof outcomes]
        : undefined;
    return [
      paint.dim(event.time.slice(TIME.from, TIME.to)),
      paint.cyan(clean(event.type.replace(/^io\.weir\./, ''), 40).padEnd(15)),
      clean(subjectOf(event)),
      clean(architecturesOf(event).join(','), 60),
      colour ? colour(String(outcome)) : undefined,
      clean(organizationOf(event) ?? '', 80),
      clean(clientOf(event), 60),
      paint.dim(`${clean(event.source, 80)} ${clean(event.id, 80)}`),
    ].filter(Boolean).join('  '); // prettier-ignore
  };
}

/** What the event is about, in the words that people use for it: `library/alpine:3.20`, `registry is down`. */
function subjectOf({ data, subject }: WeirEvent): string {
  const text = (field: string) => (typeof data[field] === 'string' ? (data[field] as string) : undefined);
  const { repository, tag, digest } = { repository: text('repository'), tag: text('tag'), digest: text('digest') };
  if (repository) return `${repository}${tag ? `:${tag}` : digest ? `@${digest.slice(0, 19)}` : ''}`;
  const service = text('service');
  if (service) {
    const healthy = data['healthy'] === true ? 'is healthy' : data['healthy'] === false ? 'is not healthy' : undefined;
    return `${service} ${text('state') ?? healthy ?? ''}`.trim();
  }
  const entity = text('entityName');
  return text('resource') ?? (entity ? `${text('action') ?? ''} ${entity}`.trim() : (subject ?? ''));
}

function clientOf({ data }: WeirEvent): string {
  const client = data['client'];
  if (typeof client !== 'object' || client === null) return '';
  const { name, version } = client as { name?: unknown; version?: unknown };
  return typeof name === 'string' ? `${name}${typeof version === 'string' ? `/${version}` : ''}` : '';
}

/** `*` stands for anything; a pattern is held against the whole type and against its short form. */
export function typeFilter(patterns: readonly string[]): (type: string) => boolean {
  if (patterns.length === 0) return () => true;
  const expressions = patterns.map((pattern) => pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*'));
  const any = new RegExp(`^(?:io\\.weir\\.)?(?:${expressions.join('|')})$`);
  return (type) => any.test(type);
}

function positive(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number from 1.');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
