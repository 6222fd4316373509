import { setImmediate } from 'node:timers/promises';
import { answerTo, type Answer } from '@weir/bus';
import { CANARY, decodeEvent, type WeirEvent } from '@weir/events';
import type { ConsumeMessage } from 'amqplib';
import type { Letter } from './parking';
import type { Worker } from './worker';

/** A batch, sorted into what each of its messages wants. */
export interface Sorted<Item> {
  /** What is to be written, and the message of each. */
  items: Item[];
  messages: ConsumeMessage[];
  /** The earliest time among them. */
  oldest: string | undefined;
  letters: Letter[];
  /** The canaries of this worker, and where each wants its answer. Those of other workers are in none of these. */
  canaries: (Answer | undefined)[];
}

/** So many messages are read before whatever else has come is attended to, an answer of the store above all. */
const SLICE = 250;

/** Reads batches for the worker of that name. */
export function createSort<Item>(name: string, worker: Worker<Item>) {
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
