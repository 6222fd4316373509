import { createHash } from 'node:crypto';
import { deadQueueOf, EXCHANGE, queueOf, UNROUTED } from '@weir/bus';
import type { Message } from 'amqplib';

/** What is named instead of a worker for the events that no queue was bound for. */
export const UNROUTED_NAME = 'unrouted';

/** The queue in which the letters of a worker rest. */
export const restingQueueOf = (worker: string): string => (worker === UNROUTED_NAME ? UNROUTED : deadQueueOf(worker));

/** Where a letter goes back to: its own worker alone, or for what was never routed everybody. */
export const wayBackOf = (worker: string): { exchange: string; routingKey: string } =>
  worker === UNROUTED_NAME ? { exchange: EXCHANGE, routingKey: '' } : { exchange: '', routingKey: queueOf(worker) };

/** One time that a letter was given up, as far as it is written down. */
export interface Try {
  reason: string;
  error: string;
  /** RFC 3339; empty when nobody wrote it down. */
  time: string;
}

/** A message that a worker could never take. */
export interface DeadLetter {
  /** Id of the event; of what has none, the first 16 digits of the SHA-256 of its body behind `sha256:`. */
  id: string;
  worker: string;
  /** Class of reason: `invalid event`; `delivery_limit` and the like when the broker parked it. */
  reason: string;
  /** What exactly was wrong. */
  error: string;
  /** When it was parked, RFC 3339; empty when nobody wrote it down. */
  time: string;
  /** How often it has been replayed before. */
  replays: number;
  /** How it was given up before, oldest first; without this time. */
  before: Try[];
  /** What can be told of the event; null when the body is not a JSON object. */
  event: { id?: unknown; type?: unknown; source?: unknown; time?: unknown; data?: unknown } | null;
  /** The body when it is no JSON object, cut to 4 KiB. */
  body?: string;
  bytes: number;
}

/** Reads what a message says of itself. All of it was written by others and may be anything. */
export function readLetter({ content, properties }: Message, worker: string): DeadLetter {
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  const event = eventIn(content);
  const last = parkedByWorker(headers) ?? deathsOf(headers)[0] ?? unexplained(worker, properties.timestamp);
  return {
    id: idOf(event, properties.messageId, content),
    worker,
    ...last,
    replays: replaysOf(headers),
    before: triesOf(headers),
    event,
    ...(event ? {} : { body: content.toString('utf8', 0, 4096) }),
    bytes: content.length,
  };
}

/** The tries that are remembered; the oldest beyond them are forgotten, so that headers do not grow for ever. */
const MAX_TRIES = 10;

/**
 * The headers of a letter on its way back: what others put there stays, `weir-replays` counts this replay, and
 * `weir-tries` remembers why it was given up. What tells of its death goes, for that would be untrue in its queue.
 */
export function headersBack(message: Message, letter: DeadLetter): Record<string, unknown> {
  const kept = Object.entries((message.properties.headers ?? {}) as Record<string, unknown>).filter(
    ([name]) => !/^(?:weir-|x-)/i.test(name) && name !== 'CC' && name !== 'BCC',
  );
  const { reason, error, time } = letter;
  const tries = [...letter.before, { reason, error, time }].slice(-MAX_TRIES);
  return { ...Object.fromEntries(kept), 'weir-replays': letter.replays + 1, 'weir-tries': tries };
}

function parkedByWorker(headers: Record<string, unknown>): Try | undefined {
  const reason = headers['weir-reason'];
  if (typeof reason !== 'string') return undefined;
  return { reason, error: textOf(headers['weir-error']), time: textOf(headers['weir-time']) };
}

/** What RabbitMQ writes on a message that it parks itself: the header x-death, the latest entry first. */
function deathsOf(headers: Record<string, unknown>): Try[] {
  const deaths = headers['x-death'];
  if (!Array.isArray(deaths)) return [];
  return (deaths as (Record<string, unknown> | null)[]).flatMap((death) => {
    if (!death || typeof death['reason'] !== 'string') return [];
    const seconds = (death['time'] as { value?: unknown } | undefined)?.value;
    return [{ reason: death['reason'], error: `parked by the broker from ${String(death['queue'])}`, time: rfc3339(seconds) }]; // prettier-ignore
  });
}

function unexplained(worker: string, timestamp: unknown): Try {
  if (worker !== UNROUTED_NAME) return { reason: 'unknown', error: '', time: '' };
  return { reason: 'unrouted', error: `no queue was bound to ${EXCHANGE}`, time: rfc3339(timestamp) };
}

/** `weir-tries`, a list of tables, as {@link headersBack} writes it. */
function triesOf(headers: Record<string, unknown>): Try[] {
  const tries = headers['weir-tries'];
  if (!Array.isArray(tries)) return [];
  return (tries as (Record<string, unknown> | null)[]).slice(-MAX_TRIES).map((each) => ({
    reason: textOf(each?.['reason']),
    error: textOf(each?.['error']),
    time: textOf(each?.['time']),
  }));
}

function replaysOf(headers: Record<string, unknown>): number {
  const replays = Number(headers['weir-replays']);
  return Number.isSafeInteger(replays) && replays > 0 ? replays : 0;
}

function idOf(event: DeadLetter['event'], messageId: unknown, content: Buffer): string {
  if (typeof event?.id === 'string' && event.id !== '') return event.id;
  if (typeof messageId === 'string' && messageId !== '') return messageId;
  return `sha256:${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
}

function eventIn(content: Buffer): DeadLetter['event'] {
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function rfc3339(seconds: unknown): string {
  const time = new Date(Number(seconds) * 1000);
  return typeof seconds === 'number' && !Number.isNaN(time.getTime()) ? time.toISOString() : '';
}
