import { answerTo, type Answer, type Handle } from '@weir/bus';
import { CANARY, decodeEvent, type WeirEvent } from '@weir/events';
import type { ConsumeMessage } from 'amqplib';
import type { WorkerMetrics } from './metrics';
import type { Letter, Parking } from './parking';
import { untilDone } from './retry';
import type { StoreState } from './store-state';
import type { Refused, Worker } from './worker';

/** A batch, sorted into what each of its messages wants. */
interface Sorted {
  events: Map<WeirEvent, ConsumeMessage>;
  letters: Letter[];
  /** The canaries of this worker, and where each wants its answer. Those of other workers are in none of these. */
  canaries: (Answer | undefined)[];
}

/** What is done with every batch: its events into the store, its canaries answered, what cannot be taken parked. */
export function createHandle(options: {
  name: string;
  worker: Worker;
  store: StoreState;
  parking: Parking;
  counted: WorkerMetrics;
  answer(to: Answer): void;
  signal: AbortSignal;
}): Handle {
  const { name, worker, store, parking, counted, answer, signal } = options;

  // The next batch is decoded while the store has this one; the store itself gets one batch at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => {}); // who waits for it hears of it
    return mine;
  };

  const handle: Handle = async (messages, lost, written) => {
    const sorted = sort(messages, name);
    await settle(sorted, { stopped: () => lost.aborted || signal.aborted, written });
    return new Map(sorted.letters.map((letter) => [letter.message, parking.park(letter, lost)]));
  };

  const settle = async (sorted: Sorted, { stopped, written }: { stopped: () => boolean; written: () => void }) => {
    const { events, letters, canaries } = sorted;
    const batch = [...events.keys()];
    const retry = { stopped, failed: store.failed('the store did not take a batch: trying again') };
    const refused = await untilDone(async () => {
      const put = await inTurn(async () => {
        // Behind a batch that was given up on stopping: the store is not asked once more, the queue keeps this one too.
        if (stopped()) throw new Error('stopped');
        return write(batch, canaries.length > 0, retry);
      });
      written();
      await put.durable;
      return put.refused;
    }, retry);
    for (const { event, reason } of refused) {
      const message = events.get(event);
      if (message) letters.push({ message, reason: 'refused by the store', error: reason });
    }
    if (batch.length > 0) told(batch, refused.length);
    if (batch.length + canaries.length > 0) store.works();
    for (const to of canaries) if (to) answer(to);
  };

  const write = async (batch: readonly WeirEvent[], probing: boolean, retry: Parameters<typeof untilDone>[1]) => {
    let refused: readonly Refused[] = [];
    let durable: Promise<void> | undefined;
    if (batch.length > 0) {
      const timed = counted.writeSeconds.startTimer();
      refused = (await untilDone(() => worker.write(batch), retry)) ?? [];
      timed();
      durable = worker.durable?.();
      durable?.catch(() => {}); // who waits for it hears of it, but not before a probe
    }
    if (probing) await untilDone(async () => worker.probe?.(), retry);
    return { refused, durable };
  };

  const told = (batch: readonly WeirEvent[], refused: number): void => {
    counted.written.inc(batch.length - refused);
    counted.batchEvents.observe(batch.length);
    counted.lastEvent.setToCurrentTime();
    counted.lag.set(oldestAgeSeconds(batch));
  };

  return handle;
}

function sort(messages: readonly ConsumeMessage[], name: string): Sorted {
  const sorted: Sorted = { events: new Map(), letters: [], canaries: [] };
  for (const message of messages) {
    const checked = decodeEvent(message.content);
    if (!checked.ok) {
      const error = checked.problems.map(({ field, message: text }) => `${field || 'event'}: ${text}`).join('; ');
      sorted.letters.push({ message, reason: 'invalid event', error });
    } else if (checked.event.type !== CANARY) {
      sorted.events.set(checked.event, message);
    } else if (checked.event.data['worker'] === name) {
      sorted.canaries.push(answerTo(message.properties));
    }
  }
  return sorted;
}

function oldestAgeSeconds(events: Iterable<WeirEvent>): number {
  let oldest: string | undefined;
  for (const { time } of events) if (oldest === undefined || time < oldest) oldest = time;
  return oldest === undefined ? 0 : Math.max(0, (Date.now() - Date.parse(oldest)) / 1000);
}
