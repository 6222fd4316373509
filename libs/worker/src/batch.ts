import type { Answer, Handle } from '@weir/bus';
import type { WorkerMetrics } from './metrics';
import type { Letter, Parking } from './parking';
import { sorted, type Read, type Sorted, type Why } from './read';
import { untilDone } from './retry';
import type { StoreState } from './store-state';
import type { Refused, Worker } from './worker';

/** What is done with every batch: its events into the store, its canaries answered, what cannot be taken parked. */
export function createHandle<Item>(options: {
  worker: Worker<Item>;
  store: StoreState;
  parking: Parking;
  counted: WorkerMetrics;
  answer(to: Answer): void;
  signal: AbortSignal;
}): Handle<Read<Item>> {
  const { worker, store, parking, counted, answer, signal } = options;

  // The store gets one batch at a time, unless it may have more.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    if (worker.anyOrder) return work();
    const mine = turn.then(work);
    turn = mine.catch(() => {}); // who waits for it hears of it
    return mine;
  };

  /** The channel of the batch that was written last, known by what tells that it is lost. */
  let channel: AbortSignal | undefined;

  const handle: Handle<Read<Item>> = async (messages, lost, written) => {
    const stopped = () => lost.aborted || signal.aborted;
    const batch = sorted(messages);
    if (batch.items.length > 0 && !stopped()) worker.ahead?.(batch.items);
    const letters = await settle(batch, { lost, stopped, written });
    return new Map([...letters].map(([read, why]) => [read, parking.park(letterOf(read, why), lost)]));
  };

  /** Resolves with what is to be parked, once the store has all the rest. */
  const settle = async (
    batch: Sorted<Item>,
    { lost, stopped, written }: { lost: AbortSignal; stopped(): boolean; written(): void },
  ) => {
    const retry = { stopped, failed: store.failed('the store did not take a batch: trying again') };
    const refused = await untilDone(async () => {
      const put = await inTurn(async () => {
        // Behind a batch that was given up on stopping: the store is not asked once more, the queue keeps this one too.
        if (stopped()) throw new Error('stopped');
        if (channel !== lost) worker.takesOver?.();
        channel = lost;
        return write(batch, retry);
      });
      written();
      await put.durable;
      return put.refused;
    }, retry);

    const { items, events, bad, canaries } = batch;
    for (const { event, reason } of refused) {
      const read = events[items.indexOf(event)];
      if (read) bad.set(read, { reason: 'refused by the store', error: reason });
    }
    if (items.length > 0) tell(batch, refused.length);
    if (items.length + canaries.length > 0) store.works();
    for (const to of canaries) if (to) answer(to);
    return bad;
  };

  const write = async ({ items, canaries }: Sorted<Item>, retry: Parameters<typeof untilDone>[1]) => {
    let refused: readonly Refused<Item>[] = [];
    let durable: Promise<void> | undefined;
    if (items.length > 0) {
      const timed = counted.writeSeconds.startTimer();
      refused = (await untilDone(() => worker.write(items), retry)) ?? [];
      timed();
      durable = worker.durable?.();
      durable?.catch(() => {}); // who waits for it hears of it, but not before a probe
    }
    if (canaries.length > 0) await untilDone(async () => worker.probe?.(), retry);
    return { refused, durable };
  };

  const tell = ({ items, oldest }: Sorted<Item>, refused: number): void => {
    counted.written.inc(items.length - refused);
    counted.batchEvents.observe(items.length);
    counted.lastEvent.setToCurrentTime();
    counted.lag.set(oldest === undefined ? 0 : Math.max(0, (Date.now() - Date.parse(oldest)) / 1000));
  };

  return handle;
}

const letterOf = ({ original }: Read<unknown>, { reason, error }: Why): Letter => ({ original, reason, error });
