import type { WeirEvent } from '@weir/events';
import type { Config, Health, Variables } from '@weir/service';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

/** An event that the store can never take, however often it is tried. */
export interface Refused<Item = WeirEvent> {
  /** The event, as {@link Worker.prepare} has made it. */
  event: Item;
  /** What the store said, for the person who reads the dead letters. */
  reason: string;
}

/**
 * A worker is what it does with a batch; the kit owns everything else: consuming, validating, batching, retrying,
 * parking, acknowledging, draining, canaries, metrics.
 *
 * The calling protocol: `connect` until it resolves (with back-off), then `write` one batch at a time, in the order in
 * which they came, and `probe` between two of them, then `close`. An `Item` is what the worker makes of an event.
 */
export interface Worker<Item = WeirEvent> {
  /** Reaches the store and prepares it. Must fail within bounded time, with a message without credentials. */
  connect(): Promise<void>;
  /**
   * What is written of an event, made as soon as it is here, while the store has others. Nothing else of the event is
   * kept: thousands of them wait at one time. An event for which it throws is parked. Without it, the event itself.
   */
  prepare?(event: WeirEvent, delivery: Delivery): Item;
  /**
   * Told of a batch that is to be written next, while the store may still have the one before: what can be done ahead
   * is done now. {@link write} gets the same array. It may not happen, where the worker stops.
   */
  ahead?(batch: readonly Item[]): void;
  /**
   * Called before the first batch that comes over a new channel, behind all writing of those that came before: until
   * then another instance may have had the queue. What it had and is not acknowledged comes {@link Delivery.again}. Not
   * together with `anyOrder`.
   */
  takesOver?(): void;
  /** Two batches may be written at one time, in any order: none has to know what the other does. */
  anyOrder?: true;
  /**
   * Resolves only when the store has the whole batch, durably unless there is `durable`, except for the events that it
   * returns as refused, which are parked. Rejecting is retriable: the same batch comes again after a while. Any event may come twice, in two
   * batches or in one, and must have its effect once.
   */
  write(batch: readonly Item[]): Promise<readonly Refused<Item>[] | void>;
  /**
   * Of a store that answers before it has something durably: resolves when it has what the last `write` gave it. Asked
   * right behind each `write`; the batch is acknowledged only then, but the next ones are written meanwhile. Must reject
   * where the store may have been lost since: the batch is then written once more. Not together with `anyOrder`: which
   * `write` was the last could not be told.
   */
  durable?(): Promise<void>;
  /**
   * Resolves when the store has answered something that it answers only while `write` would work, and leaves nothing
   * in it: the last step of a canary, which no store ever sees. Rejecting is retriable, as it is of `write`. Without
   * it a canary says that the worker takes batches, but nothing of its store.
   */
  probe?(): Promise<void>;
  /**
   * A canary of this instance has come back, at this Unix time in milliseconds: the flow works. Told no more often than
   * canaries fly, never twice at a time; rejecting changes nothing.
   */
  flowed?(at: number): Promise<void>;
  /**
   * What it does beside its batches, from the moment that the store was reached until `signal` aborts. It never rejects:
   * what fails there is tried again, and stops no batch.
   */
  beside?(given: Beside): Promise<void>;
  close(): Promise<void>;
}

/** How an event has come. */
export interface Delivery {
  /**
   * It may have been written before: the broker has delivered it before, to this instance or another, or it was put into
   * the queue by hand, as `weir replay` does. Without it, it may still have been published twice.
   */
  again: boolean;
}

export interface Beside {
  /** The broker, as the worker was told. */
  amqpUrl: string;
  health: Pick<Health, 'tell'>;
  signal: AbortSignal;
}

/** What makes a worker: one file exports it, `main.ts` runs it, the conformance suite tests it. */
export interface WorkerDefinition<V extends Variables = Variables, Item = WeirEvent> {
  /** Names the queue, `weir.<name>`. */
  name: string;
  /** The variables of its store. */
  variables: V;
  create(config: Config<V>, context: { log: Logger; metrics: Registry }): Worker<Item>;
  /** How events are batched; by default 1,000 events or 10 ms. */
  batch?: { maxEvents: number; maxAgeMs: number };
}
