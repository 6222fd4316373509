import { setImmediate } from 'node:timers/promises';
import { answerTo, type Answer, type Handle } from '@weir/bus';
import { CANARY, decodeEvent, type WeirEvent } from '@weir/events';
import type { ConsumeMessage } from 'amqplib';
import type { WorkerMetrics } from './metrics';
import type { Letter, Parking } from './parking';
import { untilDone } from './retry';
import type { StoreState } from './store-state';
import type { Worker } from './worker';

/** A batch, sorted into what each of its messages wants. */
interface Sorted<Item> {
  /** What is to be written, and the message of each. */
  items: Item[];
  messages: ConsumeMessage[];
  /** The earliest time among them. */
  oldest: string | undefined;
  letters: Letter[];
  /** The canaries of this worker, and where each wants its answer. Those of other workers are in none of these. */
  canaries: (Answer | undefined)[];
}

/** What is done with every batch: its events into the store, its canaries answered, what cannot be taken parked. */
export function createHandle<Item>(options: {
  name: string;
  worker: Worker<Item>;
  store: StoreState;
  parking: Parking;
  counted: WorkerMetrics;
  answer(to: Answer): void;
  signal: AbortSignal;
}): Handle {
  const { name, worker, store, parking, counted, answer, signal } = options;
  const sort = createSort(name, worker);

  // The next batch is read while the store has this one; the store itself gets one batch at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const handle: Handle = (messages, lost) => {
    const stopped = () => lost.aborted || signal.aborted;
    const before = turn;
    const mine = (async () => {
      const sorted = await sort(messages);
      if (sorted.items.length > 0 && !stopped()) worker.ahead?.(sorted.items);
      if (!worker.anyOrder) await before;
      // Behind a batch that was given up on stopping: the store is not asked once more, the queue keeps this one too.
      if (stopped()) throw new Error('stopped');
      await settle(sorted, stopped);
      return new Map(sorted.letters.map((letter) => [letter.message, parking.park(letter, lost)]));
    })();
    turn = mine.catch(() => {}); // the consumer hears of it
    return mine;
  };

  const settle = async (sorted: Sorted<Item>, stopped: () => boolean): Promise<void> => {
    const { items, messages, oldest, letters, canaries } = sorted;
    const retry = { stopped, failed: store.failed('the store did not take a batch: trying again') };
    if (items.length > 0) {
      const timed = counted.writeSeconds.startTimer();
      const refused = (await untilDone(() => worker.write(items), retry)) ?? [];
      timed();
      for (const { event, reason } of refused) {
        const message = messages[items.indexOf(event)];
        if (message) letters.push({ message, reason: 'refused by the store', error: reason });
      }
      counted.written.inc(items.length - refused.length);
      counted.batchEvents.observe(items.length);
      counted.lastEvent.setToCurrentTime();
      counted.lag.set(oldest === undefined ? 0 : Math.max(0, (Date.now() - Date.parse(oldest)) / 1000));
    }
    if (canaries.length > 0) await untilDone(async () => worker.probe?.(), retry);
    if (items.length + canaries.length > 0) store.works();
    for (const to of canaries) if (to) answer(to);
  };

  return handle;
}

/** So many messages are read before whatever else has come is attended to, an answer of the store above all. */
const SLICE = 250;

function createSort<Item>(name: string, worker: Worker<Item>) {
  const prepare = worker.prepare?.bind(worker) ?? ((event: WeirEvent) => event as Item);

  const read = (message: ConsumeMessage, sorted: Sorted<Item>): void => {
    const checked = decodeEvent(message.content);
    if (!checked.ok) {
      const error = checked.problems.map(({ field, message: text }) => `${field || 'event'}: ${text}`).join('; ');
      sorted.letters.push({ message, reason: 'invalid event', error });
    } else if (checked.event.type !== CANARY) {
      add(checked.event, message, sorted);
    } else if (checked.event.data['worker'] === name) {
      sorted.canaries.push(answerTo(message.properties));
    }
  };

  const add = (event: WeirEvent, message: ConsumeMessage, sorted: Sorted<Item>): void => {
    try {
      sorted.items.push(prepare(event));
    } catch (error) {
      sorted.letters.push({ message, reason: 'refused by the store', error: (error as Error).message });
      return;
    }
    sorted.messages.push(message);
    if (sorted.oldest === undefined || event.time < sorted.oldest) sorted.oldest = event.time;
  };

  return async (messages: readonly ConsumeMessage[]): Promise<Sorted<Item>> => {
    const sorted: Sorted<Item> = { items: [], messages: [], oldest: undefined, letters: [], canaries: [] };
    for (let at = 0; at < messages.length; at += 1) {
      if (at > 0 && at % SLICE === 0) await setImmediate();
      read(messages[at] as ConsumeMessage, sorted);
    }
    return sorted;
  };
}
