import { deadQueueOf } from '@weir/bus';
import { until } from '@weir/testing';
import { inVirtualHost, names } from '../dead-letters.test-support';
import { walk } from './walk';

const here = inVirtualHost();
const { ready, park, idsIn } = here;

describe('a walk', () => {
  const visited: string[] = [];
  const visit = (goes: (id: string) => boolean) => async (message: { properties: { messageId?: unknown } }) => {
    visited.push(String(message.properties.messageId));
    return { goes: goes(String(message.properties.messageId)) };
  };
  beforeEach(() => void visited.splice(0));

  test('goes through more letters than it may hold out unseen, and gives them back in order', async () => {
    await park(names(200).map((id) => ({ id })));
    const options = { queue: deadQueueOf('redis'), signal: new AbortController().signal, prefetch: 40 };
    const odd = (id: string) => Number(id.slice(1)) % 2 === 1;
    expect(await walk(here.connection, { ...options, visit: visit(odd) })).toEqual({ there: 200, seen: 200 });
    expect(visited).toEqual(names(200));
    expect(await idsIn(deadQueueOf('redis'))).toEqual(names(200).filter((id) => !odd(id)));
  });

  test('ends when it is interrupted, when time is up, and when others hold the letters, and loses none', async () => {
    await park(names(100).map((id) => ({ id })));
    const options = { queue: deadQueueOf('redis'), prefetch: 10 };
    const stopping = new AbortController();
    const visitSome = async () => (stopping.abort(), { goes: true });
    expect(await walk(here.connection, { ...options, signal: stopping.signal, visit: visitSome })).toEqual({
      there: 100,
      seen: 1,
      stopped: 'interrupted',
    });
    const { signal } = new AbortController();
    expect(await walk(here.connection, { ...options, signal, limitMs: -1, visit: visit(() => true) })).toEqual({
      there: 99,
      seen: 0,
      stopped: 'too long',
    });
    const other = await here.connection.createChannel();
    await other.prefetch(60);
    let held = 0;
    const visitWhileOthersTake = async () => {
      if (held === 0) await other.consume(deadQueueOf('redis'), () => void (held += 1), { noAck: false });
      await until(() => held === 60);
      return { goes: false };
    };
    expect(await walk(here.connection, { ...options, signal, visit: visitWhileOthersTake })).toEqual({
      there: 99,
      seen: 39,
    });
    await other.close();
    await until(async () => (await ready(deadQueueOf('redis'))) === 99);
    expect((await idsIn(deadQueueOf('redis'))).sort()).toEqual(names(100).slice(1).sort());
  });

  test('ends with an error that says what to do when its queue is deleted', async () => {
    await park(names(5).map((id) => ({ id })));
    const visitAndDelete = async () => {
      await here.channel.deleteQueue(deadQueueOf('redis'));
      return { goes: false };
    };
    const options = { queue: deadQueueOf('redis'), signal: new AbortController().signal, prefetch: 1 };
    await expect(walk(here.connection, { ...options, visit: visitAndDelete })).rejects.toThrow(/the queue weir.dead.redis was deleted/); // prettier-ignore
  });
});
