import { whyUnavailable, type Topology } from '@weir/bus';
import type { Channel, ChannelModel } from 'amqplib';
import { replyCode, replyText } from './broker';

export type State = 'ok' | 'missing' | 'different' | 'unavailable' | 'denied' | 'unseen';

/** One declared thing, and what the broker has of it. */
export interface Found {
  what: 'exchange' | 'queue' | 'binding';
  name: string;
  state: State;
  /** What the broker said of it. */
  why?: string;
  /** Messages that wait in the queue, those that a consumer holds not counted. */
  ready?: number;
  consumers?: number;
}

/**
 * Looks for every declared thing, over AMQP alone and without making any. Bindings are not to be seen that way; they
 * are `unseen`, or `ok` when they have just been declared, or `missing` when one of their ends is.
 */
export async function findTopology(
  connection: ChannelModel,
  { exchanges, queues }: Topology,
  { bindingsMade }: { bindingsMade: boolean },
): Promise<Found[]> {
  const found: Found[] = [];
  for (const { name, type, options } of exchanges) {
    const there = await ask(connection, (channel) => channel.checkExchange(name));
    const same =
      there.state === 'ok' ? await ask(connection, (channel) => channel.assertExchange(name, type, options)) : there;
    found.push({ what: 'exchange', name, ...same.verdict });
  }
  const stateOf = new Map(found.map(({ name, state }) => [name, state]));
  const bindings: Found[] = [];
  for (const { name, options, boundTo } of queues) {
    const there = await ask(connection, (channel) => channel.checkQueue(name));
    const same = there.state === 'ok' ? await ask(connection, (channel) => channel.assertQueue(name, options)) : there;
    const counts = there.answer ? { ready: there.answer.messageCount, consumers: there.answer.consumerCount } : {};
    found.push({ what: 'queue', name, ...same.verdict, ...counts });
    if (boundTo === undefined) continue;
    const endMissing = there.state === 'missing' || stateOf.get(boundTo) === 'missing';
    const made = bindingsMade && there.state !== 'unavailable';
    bindings.push({
      what: 'binding',
      name: `${boundTo} → ${name}`,
      state: endMissing ? 'missing' : made ? 'ok' : 'unseen',
    });
  }
  return [...found, ...bindings];
}

interface Answer<T> {
  state: State;
  verdict: { state: State; why?: string };
  answer?: T;
}

/**
 * One question on a channel of its own, because the broker closes the channel when the answer is no. That a thing is
 * there is asked first (passively); only then is it declared as it should be, which fails (406) if it is different.
 */
async function ask<T>(connection: ChannelModel, question: (channel: Channel) => Promise<T>): Promise<Answer<T>> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  try {
    const answer = await question(channel);
    await channel.close();
    return { state: 'ok', verdict: { state: 'ok' }, answer };
  } catch (error) {
    const unavailable = whyUnavailable(error);
    if (unavailable !== undefined) return { state: 'unavailable', verdict: { state: 'unavailable', why: unavailable } };
    const state = STATES.get(replyCode(error) ?? 0);
    if (!state) throw error;
    return { state, verdict: state === 'missing' ? { state } : { state, why: replyText(error) } };
  }
}

const STATES: ReadonlyMap<number, State> = new Map([[404, 'missing'], [406, 'different'], [403, 'denied']]); // prettier-ignore
