import { CANARY, createEvent, encodeEvent } from '@weir/events';
import { messageOptions } from './message';
import { REPLY_TO, type Sender } from './sender';
import { EXCHANGE } from './topology';

/**
 * One worker's canaries: events that go the way of every event, from the exchange through the worker's queue into a
 * batch, and are answered there by whichever instance of the worker has taken them (docs/decisions/0006). All `sentAt`
 * are Unix times in milliseconds, of this process's clock.
 */
export interface Canary {
  /**
   * Sends so many, each when the broker has confirmed the one before, and waits for any to come back, but no longer
   * than this after the last; whether one came. @throws as {@link Sender.send}
   */
  fly(count: number, withinMs: number): Promise<boolean>;
  /** Whether one that was confirmed has not come back. */
  out(): boolean;
  /**
   * The topology has been declared again: when a canary that is sent from now on comes back before one of earlier,
   * that one was not on its way any more. A queue keeps the order.
   */
  declared(): void;
  /** To be called with the answers that {@link Sender} gets. */
  answered(id: string): void;
  /** To be called when the answers to what was sent cannot come any more. */
  forget(): void;
}

export interface CanaryOptions {
  worker: string;
  sender: Sender;
  /** One came back. `tripMs` is the time from its sending until then. */
  returned(canary: { sentAt: number; tripMs: number }): void;
  /** Confirmed canaries have not reached the queue of the worker, or have been lost there: sent at these times. */
  lost(sentAt: readonly number[]): void;
}

interface Sent {
  sentAt: number;
  /** Of the monotonic clock. */
  since: number;
  confirmed: boolean;
  /** How often the topology had been declared again by then. */
  round: number;
}

export function createCanary({ worker, sender, returned, lost }: CanaryOptions): Canary {
  const sent = new Map<string, Sent>();
  const waiting = new Set<(came: boolean) => void>();
  let round = 0;
  let returns = 0;

  const send = async (): Promise<void> => {
    const event = createEvent(CANARY, { worker }, { source: `weir/${worker}-worker` });
    const canary: Sent = { sentAt: Date.now(), since: performance.now(), confirmed: false, round };
    const options = { ...messageOptions(event), correlationId: event.id, replyTo: REPLY_TO };
    sent.set(event.id, canary);
    try {
      await sender.send({ exchange: EXCHANGE, routingKey: '', body: encodeEvent(event), options });
      canary.confirmed = true;
    } catch (error) {
      sent.delete(event.id); // it may come back all the same, and be no news
      throw error;
    }
  };

  const nextReturn = (withinMs: number): Promise<boolean> =>
    new Promise((resolve) => {
      const settle = (came: boolean) => {
        clearTimeout(timer);
        waiting.delete(settle);
        resolve(came);
      };
      const timer = setTimeout(() => settle(false), withinMs);
      waiting.add(settle);
    });

  return {
    async fly(count, withinMs) {
      const before = returns;
      for (let n = 0; n < count && returns === before; n += 1) await send();
      return returns > before || nextReturn(withinMs); // it may come back before it is confirmed
    },
    out: () => [...sent.values()].some(({ confirmed }) => confirmed),
    declared: () => void (round += 1),
    answered(id) {
      const canary = sent.get(id);
      if (!canary) return;
      // It vouches for all of its round, which another instance may hold for long: the way was there.
      const earlier = [...sent].filter(([, other]) => other.round <= canary.round);
      for (const [known] of earlier) sent.delete(known);
      const gone = earlier.filter(([, { confirmed, round: of }]) => confirmed && of < canary.round);
      if (gone.length > 0) lost(gone.map(([, { sentAt }]) => sentAt));
      returns += 1;
      returned({ sentAt: canary.sentAt, tripMs: performance.now() - canary.since });
      for (const settle of [...waiting]) settle(true);
    },
    forget() {
      sent.clear();
      for (const settle of [...waiting]) settle(false);
    },
  };
}

/** The answer to a canary, to whoever sent it. */
export interface Answer {
  replyTo: string;
  correlationId: string;
}

/** What a canary wants for an answer; undefined when it asks for none. Answers go to no queue, whatever it says. */
export function answerTo({ replyTo, correlationId }: { replyTo?: unknown; correlationId?: unknown }) {
  const asks = typeof replyTo === 'string' && replyTo.startsWith(`${REPLY_TO}.`) && typeof correlationId === 'string';
  return asks ? { replyTo, correlationId } : undefined;
}

const ANSWERS = 100;

/**
 * Sends answers, and keeps the last hundred that could not go out, for the next time: a canary that was taken and not
 * answered would look as if it had been lost on its way.
 */
export function createAnswering(sender: Sender): { answer(to: Answer): void; again(): void } {
  const kept = new Set<Answer>();
  const send = (to: Answer): void => {
    kept.delete(to);
    const { replyTo, correlationId } = to;
    const message = { exchange: '', routingKey: replyTo, body: Buffer.alloc(0), options: { correlationId } };
    sender.send(message).catch(() => {
      kept.add(to);
      for (const oldest of kept) if (kept.size > ANSWERS) kept.delete(oldest);
    });
  };
  const again = (): void => {
    for (const to of [...kept]) send(to);
  };
  return {
    again,
    answer(to) {
      again();
      send(to);
    },
  };
}
