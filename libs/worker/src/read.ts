import { answerTo, type Answer } from '@weir/bus';
import { CANARY, decodeEvent, type WeirEvent } from '@weir/events';
import type { ConsumeMessage } from 'amqplib';
import { originalOf, type Letter, type Original } from './parking';
import type { Delivery, Worker } from './worker';

/** What is kept of a message while it waits: what is to be done with it, and itself, should it have to be parked. */
export type Read<Item> = { original: Original } & (
  | { is: 'event'; item: Item; time: string }
  | ({ is: 'bad' } & Why)
  | { is: 'canary'; answer: Answer | undefined }
  | { is: 'canary of another worker' }
);

/** Why a message will rest among the dead letters. */
export type Why = Pick<Letter, 'reason' | 'error'>;

/** Reads messages for the worker of that name. */
export function createRead<Item>(name: string, worker: Worker<Item>): (message: ConsumeMessage) => Read<Item> {
  const prepare = worker.prepare?.bind(worker) ?? ((event: WeirEvent) => event as Item);

  return (message) => {
    const original = originalOf(message);
    const checked = decodeEvent(message.content);
    if (!checked.ok) {
      const error = checked.problems.map(({ field, message: text }) => `${field || 'event'}: ${text}`).join('; ');
      return { original, is: 'bad', reason: 'invalid event', error };
    }
    const { event } = checked;
    if (event.type === CANARY) {
      if (event.data['worker'] !== name) return { original, is: 'canary of another worker' };
      return { original, is: 'canary', answer: answerTo(message.properties) };
    }
    try {
      return { original, is: 'event', item: prepare(event, deliveryOf(message)), time: event.time };
    } catch (error) {
      return { original, is: 'bad', reason: 'refused by the store', error: (error as Error).message };
    }
  };
}

/** A batch, sorted into what each of its messages wants. */
export interface Sorted<Item> {
  /** What is to be written, and what each of it was read from. */
  items: Item[];
  events: Read<Item>[];
  /** The earliest time among them. */
  oldest: string | undefined;
  bad: Map<Read<Item>, Why>;
  /** The canaries of this worker, and where each wants its answer. Those of other workers are in none of these. */
  canaries: (Answer | undefined)[];
}

export function sorted<Item>(batch: readonly Read<Item>[]): Sorted<Item> {
  const into: Sorted<Item> = { items: [], events: [], oldest: undefined, bad: new Map(), canaries: [] };
  for (const each of batch) {
    if (each.is === 'event') {
      into.items.push(each.item);
      into.events.push(each);
      if (into.oldest === undefined || each.time < into.oldest) into.oldest = each.time;
    } else if (each.is === 'bad') into.bad.set(each, each);
    else if (each.is === 'canary') into.canaries.push(each.answer);
  }
  return into;
}

/** Whatever goes to all queues comes through an exchange that has a name. */
function deliveryOf({ fields }: ConsumeMessage): Delivery {
  return { again: fields.redelivered || fields.exchange === '' };
}
