import { createConsumer, createParker, type Consumer, type Parker } from '@weir/bus';
import { decodeEvent, type WeirEvent } from '@weir/events';
import { amqpUrl, runApp, variable, type Config, type Context, type Variables } from '@weir/service';
import type { ConsumeMessage } from 'amqplib';
import { workerMetrics } from './metrics';
import { atMost, untilDone } from './retry';
import type { Refused, Worker, WorkerDefinition } from './worker';

/** The variables that every worker has beside those of its store. */
export const workerVariables = {
  AMQP_URL: variable(amqpUrl().default('amqp://127.0.0.1:5672'), {
    description: 'RabbitMQ, user and password included.',
    example: 'amqp://weir:secret@rabbitmq:5672',
    secret: true,
  }),
} satisfies Variables;

/** How long stopping waits for a store to be reached or let go of; all of it fits the default grace period. */
const STORE_STOP_MS = 3000;

const DEFAULT_BATCH = { maxEvents: 1000, maxAgeMs: 10 };

/** The whole of a worker's `main`. */
export function runWorker<V extends Variables>(
  definition: WorkerDefinition<V>,
  process: NodeJS.Process,
): Promise<void> {
  return runApp(
    {
      name: `${definition.name}-worker`,
      variables: { ...workerVariables, ...definition.variables },
      start: (config, context) => startWorker(definition, config as WorkerConfig<V>, context),
    },
    process,
  );
}

type WorkerConfig<V extends Variables> = Config<V> & Config<typeof workerVariables>;

/** Starts a worker inside a process that is there already (a test, another app); it stops with the context. */
export function startWorker<V extends Variables>(
  definition: WorkerDefinition<V>,
  config: WorkerConfig<V>,
  context: Pick<Context, 'log' | 'metrics' | 'health' | 'signal' | 'onStop'>,
): void {
  const { log, metrics, health, signal, onStop } = context;
  const { name, batch = DEFAULT_BATCH } = definition;
  const url = config.AMQP_URL;
  const worker = definition.create(config, { log, metrics });
  const counted = workerMetrics(metrics);
  const parker = createParker({ url, log, name });
  let consumer: Consumer | undefined;
  let store: true | string = 'not connected yet';

  const storeFailed = (what: string) => (reason: string) => {
    if (reason !== store) log.warn({ reason }, what);
    store = reason;
    counted.retries.inc();
  };

  // The next batch is decoded while the store has this one; the store itself gets one batch at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const handle = (messages: readonly ConsumeMessage[], lost: AbortSignal): Promise<void> => {
    const sorted = decode(messages);
    const stopped = () => lost.aborted || signal.aborted;
    const mine = turn.then(() => {
      // Behind a batch that was given up on stopping: the store is not asked once more, the queue keeps this one too.
      if (stopped()) throw new Error('stopped');
      return settle(sorted, stopped);
    });
    turn = mine.catch(() => {}); // the consumer hears of it
    return mine;
  };

  const settle = async ({ events, dead }: Sorted, stopped: () => boolean): Promise<void> => {
    const timed = counted.writeSeconds.startTimer();
    const refused = await untilDone(() => write(worker, [...events.keys()]), {
      stopped,
      failed: storeFailed('the store did not take a batch: trying again'),
    });
    timed();
    store = true;

    for (const { event, reason } of refused) {
      const message = events.get(event);
      if (message) dead.push({ message, reason: 'refused by the store', error: reason });
    }
    for (const letter of dead) {
      log.warn(
        { id: letter.message.properties.messageId as unknown, reason: letter.reason, error: letter.error },
        'parked',
      );
      await untilDone(() => park(parker, name, letter), { stopped, failed: () => counted.retries.inc() });
    }
    counted.parked.inc(dead.length);
    counted.written.inc(events.size - refused.length);
    counted.batchEvents.observe(events.size + dead.length - refused.length);
    counted.lastEvent.setToCurrentTime();
    counted.lag.set(oldestAgeSeconds(events.keys()));
  };

  const begin = async (): Promise<void> => {
    await untilDone(() => worker.connect(), {
      stopped: () => signal.aborted,
      failed: storeFailed('the store cannot be reached: trying again'),
    });
    store = true;
    if (!signal.aborted) consumer = createConsumer({ url, worker: name, log, ...batch, handle });
  };
  const begun = begin().catch(() => {}); // only when stopped before the store was reached

  health.check('store', () => store);
  health.check('rabbitmq', () => consumer?.state() ?? 'waiting for the store');
  onStop(`${name} worker`, async () => {
    await atMost(STORE_STOP_MS, begun);
    await consumer?.close();
    await parker.close();
    await atMost(STORE_STOP_MS, worker.close());
  });
}

/** A message that will rest among the dead letters. */
interface Dead {
  message: ConsumeMessage;
  reason: 'invalid event' | 'refused by the store';
  error: string;
}

interface Sorted {
  events: Map<WeirEvent, ConsumeMessage>;
  dead: Dead[];
}

/** Sorts a batch: what can be written, and what cannot even be read. */
function decode(messages: readonly ConsumeMessage[]): Sorted {
  const events = new Map<WeirEvent, ConsumeMessage>();
  const dead: Dead[] = [];
  for (const message of messages) {
    const checked = decodeEvent(message.content);
    if (checked.ok) {
      events.set(checked.event, message);
    } else {
      const error = checked.problems.map(({ field, message: text }) => `${field || 'event'}: ${text}`).join('; ');
      dead.push({ message, reason: 'invalid event', error });
    }
  }
  return { events, dead };
}

async function write(worker: Worker, batch: readonly WeirEvent[]): Promise<readonly Refused[]> {
  return batch.length === 0 ? [] : ((await worker.write(batch)) ?? []);
}

function park(parker: Parker, worker: string, { message, reason, error }: Dead): Promise<void> {
  const { messageId, type } = message.properties as { messageId?: string; type?: string };
  const basic = { ...(messageId ? { messageId } : {}), ...(type ? { type } : {}) };
  return parker.park({ body: message.content, ...basic }, { worker, reason, error });
}

function oldestAgeSeconds(events: Iterable<WeirEvent>): number {
  let oldest: string | undefined;
  for (const { time } of events) if (oldest === undefined || time < oldest) oldest = time;
  return oldest === undefined ? 0 : Math.max(0, (Date.now() - Date.parse(oldest)) / 1000);
}
