import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { ConfirmChannel, Options } from 'amqplib';
import { encodeEvent, type WeirEvent } from '@weir/events';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createDrain } from './drain';
import { keepConnected } from './link';
import { messageOptions, messageOptionsOf } from './message';
import { publisherMetrics } from './publisher-metrics';
import { openSpool, SpoolError, type Spool } from './spool';
import { withTimeout } from './timeout';
import { declareTopology, EXCHANGE } from './topology';

/** Where an event is safe: confirmed by the broker (every queue has it on disk), or in this process's spool. */
export type Published = 'confirmed' | 'spooled';

/** Puts events on the bus so that none is lost from the moment that `publish` has resolved. */
export interface Publisher {
  /**
   * Resolves when the event is durably with the broker or in the spool. A broker that is gone, blocked, nacking or
   * slow sends it to the spool, from where it is sent later with the same identity.
   *
   * @throws SpoolError when neither takes it: the caller must not acknowledge the event.
   */
  publish(event: WeirEvent): Promise<Published>;
  /** {@link publish} for many, each with its own outcome. */
  publishAll(events: readonly WeirEvent[]): Promise<PromiseSettledResult<Published>[]>;
  /** True when events can be taken durably and go straight to the broker; otherwise what is wrong. */
  ready(): true | string;
  /** True when an event would be taken durably now, by the broker or by the spool; otherwise why not. */
  accepting(): true | string;
  depth(): { inFlight: number; spooledEvents: number; spooledBytes: number };
  /** Waits a few seconds for what is in flight, spools the rest, then lets go of broker and spool. */
  close(): Promise<void>;
}

export interface PublisherOptions {
  /** AMQP URL. */
  url: string;
  /** Directory of the spool, this process's alone. */
  spoolDir: string;
  log: Logger;
  metrics: Registry;
  /** Unconfirmed events at most; beyond it events go to the spool, so that memory stays bounded. */
  window?: number;
  /** How long a confirm may take before the event goes to the spool as well, milliseconds. */
  confirmTimeoutMs?: number;
  /** The spool's quota, bytes. */
  spoolBytes?: number;
  /** Shown in the broker's list of connections. */
  name?: string;
}

interface InFlight {
  /** Of the monotonic clock, milliseconds. */
  sentAt: number;
  settle(confirmed: boolean): void;
}

const SWEEP_MS = 1000;
const DRAIN_EVENTS = 500;
/** A spool that another process still holds, or a disk that is full, is tried again. */
const SPOOL_RETRY_MS = 2000;
/** How long closing waits for confirms before it spools what is in flight; all of it must fit a grace period. */
const CLOSE_MS = 5000;
const GOODBYE_MS = 2000;

/** Connects in the background; never throws for a broker that is missing. */
export function createPublisher(options: PublisherOptions): Publisher {
  const { url, spoolDir, log, metrics, window = 4096, confirmTimeoutMs = 10_000, spoolBytes = 1024 ** 3 } = options;
  const counted = publisherMetrics(metrics, () => depth());
  const inFlight = new Set<InFlight>();
  const settled = new EventEmitter();
  let channel: ConfirmChannel | undefined;
  let blocked = false;
  let closing = false;

  let spool: Spool | undefined;
  let spoolProblem = 'the spool is not open yet';
  let reopening: NodeJS.Timeout | undefined;
  const tryToOpenSpool = async (): Promise<void> => {
    try {
      spool = await openSpool({ dir: spoolDir, maxBytes: spoolBytes, log });
      drain.wakeNow();
    } catch (error) {
      const reason = (error as Error).message;
      if (reason !== spoolProblem) log.error({ reason }, 'the spool cannot be used: trying again');
      spoolProblem = reason;
      if (!closing) reopening = setTimeout(() => void (opening = tryToOpenSpool()), SPOOL_RETRY_MS).unref();
    }
  };

  const link = keepConnected({
    url,
    log,
    name: `${options.name ?? 'weir'} publisher`,
    async setup(connection, lost) {
      connection.on('blocked', (reason) => {
        log.warn({ reason }, 'the broker blocks publishers');
        blocked = true;
        giveUpInFlight(); // it reads no more from us, so that what it has not confirmed it may not have seen
      });
      connection.on('unblocked', () => {
        blocked = false;
        drain.wakeNow();
      });
      // A channel of its own: a refused declaration (406) must not take confirms with it (reference A.3, L14).
      const declaring = await connection.createChannel();
      declaring.on('error', () => {});
      await declareTopology(declaring);
      await declaring.close();
      const opened = await connection.createConfirmChannel();
      opened.on('error', (error: Error) => log.warn({ reason: error.message }, 'the publishing channel failed'));
      opened.on('close', () => {
        if (channel === opened) channel = undefined;
        if (!closing) lost('the publishing channel closed');
      });
      blocked = false;
      channel = opened;
      drain.wakeNow();
    },
  });

  /** Sends one body; resolves with whether the broker confirmed it. Never rejects, always settles. */
  const send = (body: Buffer, options: Options.Publish): Promise<boolean> =>
    new Promise((resolve) => {
      const entry: InFlight = {
        sentAt: performance.now(),
        settle(confirmed) {
          if (!inFlight.delete(entry)) return; // a late confirm of what has been given up
          settled.emit('settled');
          resolve(confirmed);
        },
      };
      inFlight.add(entry);
      try {
        if (!channel) return entry.settle(false);
        channel.publish(EXCHANGE, '', body, options, (error: unknown) => entry.settle(!error));
      } catch {
        entry.settle(false); // the channel closed under us
      }
    });

  /** What is in flight counts as not confirmed: it goes to the spool, and again with the same identity. */
  const giveUpInFlight = (): void => {
    for (const entry of [...inFlight]) entry.settle(false);
  };

  const sweep = setInterval(() => {
    const [oldest] = inFlight; // insertion order: the first is the oldest
    if (!oldest || performance.now() - oldest.sentAt < confirmTimeoutMs) return;
    log.warn({ inFlight: inFlight.size, confirmTimeoutMs }, 'confirms are late: spooling');
    channel = undefined;
    giveUpInFlight();
    link.reset('confirms are late');
  }, SWEEP_MS);
  sweep.unref();

  const toSpool = async (body: Buffer): Promise<Published> => {
    if (!spool) await opening;
    if (!spool) throw new SpoolError(spoolProblem);
    await spool.append(body);
    counted.spooled.inc();
    drain.wake();
    return 'spooled';
  };

  const publish = async (event: WeirEvent): Promise<Published> => {
    const body = encodeEvent(event);
    if (channel && !blocked && !closing && inFlight.size < window && (await send(body, messageOptions(event)))) {
      counted.confirmed.inc();
      return 'confirmed';
    }
    return toSpool(body).catch((error: unknown) => {
      counted.refused.inc();
      throw error;
    });
  };

  const drain = createDrain({
    log,
    spool: () => spool,
    canSend: () => channel !== undefined && !blocked,
    async room(events) {
      while (channel && !closing && inFlight.size + events > window) await once(settled, 'settled');
    },
    send: (body) => send(body, messageOptionsOf(body)),
    partEvents: Math.max(1, Math.min(DRAIN_EVENTS, Math.floor(window / 2))),
  });
  let opening = tryToOpenSpool();

  const depth = () => {
    const spooled = spool?.depth() ?? { events: 0, bytes: 0 };
    return { inFlight: inFlight.size, spooledEvents: spooled.events, spooledBytes: spooled.bytes };
  };

  return {
    publish,
    publishAll: (events) => Promise.allSettled(events.map(publish)),
    depth,
    ready: () => (link.state() !== true ? link.state() : blocked ? 'the broker blocks publishers' : true),
    accepting: () => (spool || (channel && !blocked) ? true : spoolProblem),
    async close() {
      closing = true;
      const drained = drain.stop();
      const deadline = performance.now() + CLOSE_MS;
      while (inFlight.size > 0 && performance.now() < deadline) await pause(10);
      giveUpInFlight();
      await drained;
      clearInterval(sweep);
      // Closing the connection overtakes what the channel still writes: the channel first (reference A.3, L1).
      const last = channel;
      channel = undefined;
      if (last) await withTimeout(last.close(), GOODBYE_MS).catch(() => {});
      await link.close();
      clearTimeout(reopening);
      await opening;
      await spool?.close();
    },
  };
}
