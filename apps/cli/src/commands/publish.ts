import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import { catalogue, checkEvent, createEvent, encodeEvent, limits, redact, type WeirEvent } from '@weir/events';
import { declareOn, EXCHANGE, neededToPublish, WORKERS } from '@weir/bus';
import type { ChannelModel } from 'amqplib';
import { Command } from 'commander';
import { replyText, shown, withBroker } from '../broker';
import { amqpUrl, endpoint, ingestKey } from '../endpoints';
import { CliError, colours, exitCodes, forPeople, print, type Io } from '../io';

interface Options {
  data: string;
  source: string;
  id?: string;
  time?: string;
  subject?: string;
  ingest?: string | true;
  key?: string;
  amqp?: string;
  json?: boolean;
}

const HELP = `
The types of the catalogue may be named short: ${catalogue.map(({ type }) => shortName(type)).join(', ')}.

Examples:
  weir publish pull --data '{"repository": "library/alpine", "user": {"email": "ann@example.com"}}'
  weir publish io.weir.outage --data @outage.json --source /monitor/eu-1
  echo '{"resource": "file/42"}' | weir publish view --data - --ingest http://127.0.0.1:8081 --key "$KEY"`;

/** `weir publish`: one event, done when the broker has confirmed it or the ingest API has taken it. */
export function publishCommand(io: Io): Command {
  return new Command('publish')
    .description('publish one event; done when the broker (or the ingest API) has it for good')
    .argument('<type>', 'type of the event: io.weir.pull, or pull for short')
    .requiredOption('-d, --data <json>', 'what happened: JSON, @file, or - for the standard input')
    .option('--source <uri>', 'who says so', '/cli')
    .option('--id <id>', 'identity within the source; the same twice is counted once (default: a new one)')
    .option('--time <rfc3339>', 'when it happened (default: now)')
    .option('--subject <text>', 'what it is about')
    .option('--ingest [url]', 'through the ingest API instead of the broker (default: INGEST_URL)')
    .option('--key <key>', 'key for the ingest API (default: INGEST_KEY)')
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--json', 'JSON on a terminal too')
    .addHelpText('after', HELP)
    .action(async (type: string, options: Options) => {
      const event = await eventOf(io, type, options);
      const status =
        options.ingest === undefined ? await toBroker(io, event, options) : await toIngest(io, event, options);
      const { id, source, time } = event;
      const paint = colours(io);
      await print(
        io.stdout,
        forPeople(io, options)
          ? `${paint.green(status)} ${event.type} ${paint.dim(`from ${source}, id`)} ${id}`
          : JSON.stringify({ id, source, type: event.type, time, status }),
      );
    });
}

async function eventOf(io: Io, type: string, options: Options): Promise<WeirEvent> {
  const data = parseData(await readData(io, options.data));
  const known = catalogue.find((kind) => shortName(kind.type) === type);
  const { id, time, subject, source } = options;
  const made = createEvent(known?.type ?? type, data, {
    source,
    ...(id === undefined ? {} : { id }),
    ...(subject === undefined ? {} : { subject }),
  });
  const valid = checkEvent(time === undefined ? made : { ...made, time }, { now: new Date() });
  const checked = valid.ok ? redact(valid.event) : valid;
  if (!checked.ok) {
    throw new CliError(
      `not a valid event: ${checked.problems.map(({ field, message }) => `${field} ${message}`).join('; ')}`,
    );
  }
  const bytes = encodeEvent(checked.event).length;
  if (bytes > limits.eventBytes)
    throw new CliError(`the event is ${bytes} bytes; at most ${limits.eventBytes} are allowed`);
  return checked.event;
}

async function readData(io: Io, data: string): Promise<string> {
  if (data === '-') return readAll(io.stdin);
  if (!data.startsWith('@')) return data;
  try {
    return readFileSync(data.slice(1), 'utf8');
  } catch (error) {
    throw new CliError(`--data ${data}: ${(error as Error).message}`, exitCodes.usage);
  }
}

function parseData(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError(`--data is not JSON: ${(error as Error).message}`, exitCodes.usage);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CliError('--data must be a JSON object, such as {"repository": "library/alpine"}', exitCodes.usage);
}

async function toBroker(io: Io, event: WeirEvent, options: Options): Promise<string> {
  const url = amqpUrl(io, options.amqp);
  return withBroker(url, async (connection) => {
    try {
      await confirmed(connection, event);
    } catch (error) {
      throw new CliError(
        `RabbitMQ at ${shown(url)} did not take the event: ${replyText(error)}`,
        exitCodes.unavailable,
      );
    }
    return 'confirmed';
  });
}

const CONFIRM_TIMEOUT_MS = 10_000;

/** Declares the topology first, as every publisher does: without its queues a confirmed event would be nowhere. */
async function confirmed(connection: ChannelModel, event: WeirEvent): Promise<void> {
  await declareOn(connection, WORKERS, neededToPublish);
  const channel = await connection.createConfirmChannel();
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`no confirm within ${CONFIRM_TIMEOUT_MS / 1000} s; an alarm may block publishers`)),
      CONFIRM_TIMEOUT_MS,
    );
    const settle = (error?: Error | null) => (clearTimeout(late), error ? reject(error) : resolve());
    channel.on('error', settle);
    const properties = {
      persistent: true,
      contentType: 'application/cloudevents+json',
      messageId: event.id,
      type: event.type,
      timestamp: Math.floor(Date.parse(event.time) / 1000),
    };
    channel.publish(EXCHANGE, '', encodeEvent(event), properties, settle);
  });
}

const ANSWER_TIMEOUT_MS = 30_000;

async function toIngest(io: Io, event: WeirEvent, options: Options): Promise<string> {
  const option = typeof options.ingest === 'string' ? options.ingest : undefined;
  const address = endpoint(io, { option, variable: 'INGEST_URL', endpoint: 'ingest', what: 'the ingest API' });
  const key = ingestKey(io, options.key);
  if (!URL.canParse(address)) throw new CliError(`${address} is not a URL`, exitCodes.configuration);
  const url = new URL(address);
  if (!url.pathname.endsWith('/events')) url.pathname = `${url.pathname.replace(/\/$/, '')}/events`;
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents+json' },
      body: new Uint8Array(encodeEvent(event)),
      redirect: 'error', // the key is for this server alone
      signal: AbortSignal.any([io.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
    });
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    throw new CliError(
      `no answer from ${url.origin} (${cause?.code ?? message}): is ingest running?`,
      exitCodes.unavailable,
    );
  }
  const answer = (await response.json().catch(() => ({}))) as {
    status?: string;
    title?: string;
    detail?: string;
    errors?: { field: string; message: string }[];
  };
  if (response.status === 202 && answer.status) return answer.status;
  const errors = answer.errors?.map(({ field, message }) => `${field} ${message}`).join('; ');
  throw new CliError(
    `${url.origin} answered ${response.status}: ${errors ?? answer.detail ?? answer.title ?? 'no reason given'}`,
    response.status >= 500 ? exitCodes.unavailable : exitCodes.found,
  );
}

function shortName(type: string): string {
  return type.replace(/^io\.weir\./, '');
}
