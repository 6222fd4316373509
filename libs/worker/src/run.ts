import { createConsumer, type Consumer } from '@weir/bus';
import { amqpUrl, runApp, variable, type App, type Config, type Context, type Variables } from '@weir/service';
import type { Logger } from 'pino';
import { createHandle } from './batch';
import { workerMetrics } from './metrics';
import { createParking } from './parking';
import { createRead } from './read';
import { atMost, untilDone } from './retry';
import { createStoreState } from './store-state';
import { createWatch, WATCH_INTERVAL_MS } from './watch';
import type { Worker, WorkerDefinition } from './worker';

/** The variables that every worker has beside those of its store. */
export const workerVariables = {
  AMQP_URL: variable(amqpUrl().default('amqp://127.0.0.1:5672'), {
    description:
      'RabbitMQ, user and password included; of a cluster several URLs with commas between them, tried in random order.',
    example: 'amqp://weir:secret@rabbitmq:5672',
    secret: true,
  }),
} satisfies Variables;

/** How long stopping waits for a store to be reached or let go of; all of it fits the default grace period. */
const STORE_STOP_MS = 3000;

const DEFAULT_BATCH = { maxEvents: 1000, maxAgeMs: 10 };

/** The whole of a worker's `main`. */
export function runWorker<V extends Variables, Item>(
  definition: WorkerDefinition<V, Item>,
  process: NodeJS.Process,
  heap: Pick<App<V>, 'heapGrowthPercent'> = {},
): Promise<void> {
  return runApp(
    {
      name: `${definition.name}-worker`,
      variables: { ...workerVariables, ...definition.variables },
      start: (config, context) => startWorker(definition, config as WorkerConfig<V>, context),
      ...heap,
    },
    process,
  );
}

type WorkerConfig<V extends Variables> = Config<V> & Config<typeof workerVariables>;

/**
 * Starts a worker inside a process that is there already (a test, another app); it stops with the context.
 *
 * @param watchIntervalMs how often it looks at the topology and sends itself a canary
 */
export function startWorker<V extends Variables, Item>(
  definition: WorkerDefinition<V, Item>,
  config: WorkerConfig<V>,
  context: Pick<Context, 'log' | 'metrics' | 'health' | 'signal' | 'onStop'>,
  { watchIntervalMs = WATCH_INTERVAL_MS }: { watchIntervalMs?: number } = {},
): void {
  const { log, metrics, health, signal, onStop } = context;
  const { name, batch = DEFAULT_BATCH } = definition;
  const url = config.AMQP_URL;
  const stopped = () => signal.aborted;
  const worker = definition.create(config, { log, metrics });
  let consumer: Consumer | undefined;
  let beside: Promise<void> | undefined;

  const counted = workerMetrics(metrics, () => {
    const since = consumer?.oldestSince();
    return since === undefined ? 0 : (performance.now() - since) / 1000;
  });
  const store = createStoreState(log, counted);
  const watch = createWatch({
    url, name, log, counted, intervalMs: watchIntervalMs, consumer: () => consumer, store: store.state,
    flowed: createTelling(worker, log),
  }); // prettier-ignore
  const parking = createParking({ worker: name, sender: watch.sender, log, counted, stopped });
  const handle = createHandle({ worker, store, parking, counted, answer: watch.answer, signal });
  const read = createRead(name, worker);

  const begin = async (): Promise<void> => {
    await untilDone(() => worker.connect(), {
      stopped,
      failed: store.failed('the store cannot be reached: trying again'),
    });
    store.works();
    if (stopped()) return;
    beside = worker.beside?.({ amqpUrl: url, health, signal });
    const working = () => store.state() === true;
    consumer = createConsumer({ url, worker: name, log, ...batch, prepare: watch.audit.ensure, read, handle, working });
  };
  const begun = begin().catch(() => {}); // only when stopped before the store was reached

  health.check('store', store.state);
  health.check('rabbitmq', () => consumer?.state() ?? 'waiting for the store');
  health.check('topology', watch.topology);
  health.check('canary', watch.canary);
  onStop(`${name} worker`, async () => {
    await atMost(STORE_STOP_MS, begun);
    await consumer?.close();
    await watch.close();
    await atMost(STORE_STOP_MS, beside);
    await atMost(STORE_STOP_MS, worker.close());
  });
}

/** Tells the worker that the flow works, and waits for nothing; said in the log once for each new reason why it failed. */
function createTelling(worker: Pick<Worker, 'flowed'>, log: Logger): () => void {
  let busy = false;
  let said: string | undefined;
  return () => {
    if (busy || !worker.flowed) return;
    busy = true;
    const told = worker.flowed(Date.now()).then(
      () => (said = undefined),
      (error: unknown) => {
        const reason = (error as Error).message;
        if (reason !== said) log.warn({ reason }, 'that the flow works could not be written down: trying again');
        said = reason;
      },
    );
    void told.finally(() => (busy = false));
  };
}
