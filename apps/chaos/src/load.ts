import type { AmqpPublisher } from './amqp-publisher';
import type { SentEvent } from './events';
import type { HttpPublisher } from './http-publisher';
import type { Stream } from './journal';
import { createRandom } from './random';
import { eventually, pause } from './wait';

export interface LoadOptions {
  /** Events per second over all ways; 300 unless told. What cannot be sent because nobody answers waits. */
  perSecond?: number;
  /** Shares of the ways that events take: singly by HTTP, in batches by HTTP, with confirms by AMQP. */
  ways?: Partial<Record<Way, number>>;
  /** Events in a batch; 20 unless told. */
  batch?: number;
}

export type Way = 'single' | 'batch' | 'amqp';

/** Clients that go on and on; each repeats an event under its id until an edge has acknowledged it, as good clients do. */
export interface Load {
  /** Nothing new from now on; resolves when everything that was issued is acknowledged, or 90 s have gone. */
  stop(): Promise<void>;
  /** Answers that no client should ever get, in words. */
  problems(): string[];
}

const DEFAULT_WAYS: Record<Way, number> = { single: 0.3, batch: 0.3, amqp: 0.4 };
/** Events that wait for an acknowledgement, for each way: clients are bounded, too. */
const OUTSTANDING = 400;
const TICK_MS = 20;
const STOP_TIMEOUT_MS = 90_000;
const RETRY_MS = { first: 100, most: 1_000 };

export function startLoad(
  { stream, http, amqp }: { stream: Stream; http: HttpPublisher; amqp: AmqpPublisher },
  options: LoadOptions = {},
): Load {
  const { perSecond = 300, ways = DEFAULT_WAYS, batch = 20 } = options;
  const random = createRandom(stream.source, 'ways');
  const outstanding: Record<Way, number> = { single: 0, batch: 0, amqp: 0 };
  const problems = new Map<string, number>();
  let abandoned = false;

  const retrying = async (way: Way, events: SentEvent[], attempt: (left: SentEvent[]) => Promise<SentEvent[]>) => {
    outstanding[way] += events.length;
    let left = events;
    for (let wait = RETRY_MS.first; left.length > 0 && !abandoned; wait = Math.min(2 * wait, RETRY_MS.most)) {
      const taken = await attempt(left).catch((): SentEvent[] => []);
      for (const event of taken) stream.acknowledge(event);
      outstanding[way] -= taken.length;
      left = left.filter((event) => !taken.includes(event));
      if (left.length > 0) await pause(wait * (0.5 + 0.5 * random.fraction()));
    }
  };

  const post = async (events: SentEvent[]): Promise<SentEvent[]> => {
    const { status, taken } = await http.post(events);
    const expected = status === 202 ? taken.length === events.length : status === 503 || status === 429;
    if (!expected) {
      const what = `POST /events answers ${status}, ${taken.length} of ${events.length} taken`;
      problems.set(what, (problems.get(what) ?? 0) + 1);
    }
    return taken;
  };
  const publish = async ([event]: SentEvent[]): Promise<SentEvent[]> =>
    event && (await amqp.publish(event)) ? [event] : [];

  const total = Object.values(ways).reduce((sum, share) => sum + share, 0);
  /** A batch counts as one choice of the dice, so its share is divided by its size. */
  const choose = (): Way => {
    const weight = (way: Way) => ((ways[way] ?? 0) / total) * (way === 'batch' ? 1 / batch : 1);
    let left = random.fraction() * (weight('single') + weight('batch') + weight('amqp'));
    for (const way of ['single', 'batch'] as const) {
      left -= weight(way);
      if (left < 0) return way;
    }
    return 'amqp';
  };

  const send = (way: Way): number => {
    const count = way === 'batch' ? batch : 1;
    if (outstanding[way] + count > OUTSTANDING) return 0;
    const events = Array.from({ length: count }, () => stream.issue());
    void retrying(way, events, way === 'amqp' ? publish : post);
    return count;
  };

  const begun = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    // What was not sent while nobody answered is not made up for: a second of it at most.
    const due = ((performance.now() - begun) / 1000) * perSecond;
    sent = Math.max(sent, due - perSecond);
    for (let tries = 0; sent < due && tries < 500; tries += 1) sent += send(choose());
  }, TICK_MS);

  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    const done = () => outstanding.single + outstanding.batch + outstanding.amqp === 0;
    await eventually(done, { timeoutMs: STOP_TIMEOUT_MS });
    abandoned = true;
  };
  return {
    stop: () => (stopping ??= stop()),
    problems: () => [...problems].map(([what, times]) => `${what} (${times} times)`),
  };
}
