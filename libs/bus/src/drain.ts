import type { Logger } from 'pino';
import { delay } from './link';
import type { Segment, Spool } from './spool';

/** Sends what is in the spool, the oldest segment first, whenever the broker takes events. */
export interface Drain {
  /** Events have come into the spool; does nothing while a refused part waits for its next attempt. */
  wake(): void;
  /** The broker takes events again. */
  wakeNow(): void;
  /** Ends it with the part that has been sent. */
  stop(): Promise<void>;
}

export interface DrainOptions {
  /** Undefined until it is open. */
  spool(): Spool | undefined;
  /** Whether the broker takes events. */
  canSend(): boolean;
  /** Resolves with what the broker did not confirm, in the same order. */
  send(bodies: readonly Buffer[]): Promise<readonly Buffer[]>;
  /** What is sent at once, one event at least. The next part follows when all of this one is confirmed. */
  part: { events: number; bytes: number };
  /** All that was in the spool has been confirmed. */
  emptied(): void;
  /** The broker has refused for a while: perhaps only on this connection. */
  keepsRefusing(): void;
  log: Logger;
}

/** A queue that is full refuses for long, and all others get the same events again with every attempt. */
const RETRY = { initialMs: 1000, maxMs: 60_000 };
/**
 * RabbitMQ 3.10 goes on refusing on a channel when the limit of a full quorum queue has been lifted; on a new one it
 * takes events (libs/bus publisher-faults.test.ts). So a new one is made after so many refusals in a row.
 */
const RENEW_AFTER = 3;

export function createDrain({ spool, canSend, send, part: most, emptied, keepsRefusing, log }: DrainOptions): Drain {
  /** What of the oldest segment has not been confirmed yet; kept between attempts. */
  let rest: { segment: Segment; payloads: Buffer[] } | undefined;
  let running: Promise<void> | undefined;
  let waiting: NodeJS.Timeout | undefined;
  let refusals = 0;
  let stopped = false;
  let again = false;

  const sendsOn = () => canSend() && !stopped;

  const drain = async (from: Spool): Promise<void> => {
    while (sendsOn()) {
      rest ??= await next(from);
      if (!rest) return emptied();
      while (rest.payloads.length > 0) if (!(await sendPart(rest))) return;
      const { segment } = rest;
      rest = undefined;
      await from.remove(segment);
      log.info({ events: segment.payloads.length, left: from.depth().events }, 'drained from the spool');
    }
  };

  const next = async (from: Spool) => {
    const segment = await from.oldest();
    return segment && { segment, payloads: segment.payloads };
  };

  /** False when it has to end here: nothing can be sent any more, or the broker refuses. */
  const sendPart = async (from: { payloads: Buffer[] }): Promise<boolean> => {
    const part = from.payloads.slice(0, lengthOfPart(from.payloads));
    if (!sendsOn()) return false;
    const refused = await send(part);
    from.payloads = [...refused, ...from.payloads.slice(part.length)];
    if (refused.length > 0 && sendsOn()) {
      later();
      if (refusals % RENEW_AFTER === 0) keepsRefusing();
    }
    if (refused.length === 0) refusals = 0;
    return refused.length === 0;
  };

  const lengthOfPart = (payloads: readonly Buffer[]): number => {
    let bytes = payloads[0]?.length ?? 0;
    let length = 1;
    while (length < most.events && (bytes += payloads[length]?.length ?? Infinity) <= most.bytes) length += 1;
    return length;
  };

  const later = (): void => {
    refusals += 1;
    if (refusals === 1) log.warn('the broker refuses events from the spool: trying again');
    waiting = setTimeout(wakeNow, delay(refusals, RETRY)).unref();
  };

  const wakeNow = (): void => {
    clearTimeout(waiting);
    waiting = undefined;
    const from = spool();
    if (running) again = true; // it may have looked just before that came for which it is woken
    if (running || !from || !sendsOn()) return;
    again = false;
    running = drain(from)
      .catch((error: unknown) => {
        log.error({ err: error }, 'the spool could not be drained');
        if (!stopped) later();
      })
      .finally(() => {
        running = undefined;
        if (again && !waiting) wakeNow();
      });
  };

  return {
    wake: () => waiting ?? wakeNow(),
    wakeNow,
    async stop() {
      stopped = true;
      clearTimeout(waiting);
      await running;
    },
  };
}
