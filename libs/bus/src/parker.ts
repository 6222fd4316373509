import type { Sender } from './sender';
import { deadQueueOf } from './topology';

/** Why a message rests among the dead letters; carried as AMQP headers `weir-worker`, `weir-reason`, … */
export interface DeadLetter {
  worker: string;
  /** A short class of reason, fit for a table and a metric: `invalid event`, `refused by the store`. */
  reason: string;
  /** What exactly was wrong. */
  error: string;
}

/** A message as it came: what is parked is that, not what was made of it. */
export interface Parkable {
  body: Buffer;
  messageId?: string;
  type?: string;
  /** What it came with; what `weir dead-letters replay` has written down there is carried on. */
  headers?: Readonly<Record<string, unknown>>;
}

/** So many earlier tries a letter remembers, each with so much of what was said: all of them fit a frame. */
const MAX_TRIES = 10;
const MAX_ERROR = 2000;
const MAX_REASON = 200;

/**
 * Puts a message among the dead letters of its worker; resolves when the broker has confirmed it there.
 *
 * @throws as {@link Sender.send} does. It may rest there all the same, and a second time after another call: a dead
 *   letter is known by its message's identity, not by its number.
 */
export function park(sender: Sender, message: Parkable, { worker, reason, error }: DeadLetter): Promise<void> {
  const { body, messageId, type } = message;
  const headers = {
    ...replaysOf(message.headers ?? {}),
    'weir-worker': worker,
    'weir-reason': reason,
    'weir-error': error.slice(0, MAX_ERROR),
    'weir-time': new Date().toISOString(),
  };
  const basic = { ...(messageId ? { messageId } : {}), ...(type ? { type } : {}) };
  const options = { persistent: true, mandatory: true, headers, ...basic };
  return sender.send({ exchange: '', routingKey: deadQueueOf(worker), body, options });
}

/** What a replay has written down: how often that happened, and how the letter was given up before. Anybody may forge it. */
function replaysOf(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { 'weir-replays': replays, 'weir-tries': tries } = headers;
  return {
    ...(Number.isSafeInteger(replays) ? { 'weir-replays': replays } : {}),
    ...(Array.isArray(tries) ? { 'weir-tries': tries.slice(-MAX_TRIES).map(tryOf) } : {}),
  };
}

function tryOf(given: unknown): Record<string, string> {
  const { reason, error, time } = (given ?? {}) as Record<string, unknown>;
  const text = (value: unknown, max: number) => (typeof value === 'string' ? value.slice(0, max) : '');
  return { reason: text(reason, MAX_REASON), error: text(error, MAX_ERROR), time: text(time, MAX_REASON) };
}
