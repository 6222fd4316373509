import { EventEmitter, once } from 'node:events';
import type { ConfirmChannel } from 'amqplib';
import { encodeEvent, type WeirEvent } from '@weir/events';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { keepConnected } from './link';
import { openSpool, SpoolError, type Spool } from './spool';
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
  /** Waits for what is in flight (confirm or spool), then lets go of broker and spool. */
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
  body: Buffer;
  sentAt: number;
  settle(confirmed: boolean): void;
}

const SWEEP_MS = 1000;
const DRAIN_WINDOW = 500;

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
  const spoolOpened = openSpool({ dir: spoolDir, maxBytes: spoolBytes, log }).then(
    (opened) => ((spool = opened), wakeDrain()),
    (error: unknown) => {
      spoolProblem = (error as Error).message;
      log.error({ reason: spoolProblem }, 'the spool cannot be used');
    },
  );

  const link = keepConnected({
    url,
    log,
    name: `${options.name ?? 'weir'} publisher`,
    async setup(connection, lost) {
      connection.on('blocked', (reason) => ((blocked = true), log.warn({ reason }, 'the broker blocks publishers')));
      connection.on('unblocked', () => ((blocked = false), wakeDrain()));
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
      wakeDrain();
    },
  });

  /** Sends one body; resolves with whether the broker confirmed it. Never rejects, always settles. */
  const send = (body: Buffer, event: Pick<WeirEvent, 'id' | 'type' | 'time'>): Promise<boolean> =>
    new Promise((resolve) => {
      const entry: InFlight = {
        body,
        sentAt: Date.now(),
        settle(confirmed) {
          if (!inFlight.delete(entry)) return; // a late confirm of what the sweep has given up
          settled.emit('settled');
          resolve(confirmed);
        },
      };
      inFlight.add(entry);
      try {
        channel?.publish(EXCHANGE, '', body, properties(event), (error: unknown) => entry.settle(!error));
      } catch {
        entry.settle(false); // the channel closed under us
      }
    });

  const sweep = setInterval(() => {
    const [oldest] = inFlight; // insertion order: the first is the oldest
    if (!oldest || Date.now() - oldest.sentAt < confirmTimeoutMs) return;
    log.warn({ inFlight: inFlight.size, confirmTimeoutMs }, 'confirms are late: spooling');
    channel = undefined;
    for (const entry of [...inFlight]) entry.settle(false);
    if (!blocked) link.reset('confirms are late'); // a blocked connection is alive, and comes back by itself
  }, SWEEP_MS);
  sweep.unref();

  const toSpool = async (body: Buffer): Promise<Published> => {
    if (!spool) await spoolOpened;
    if (!spool) throw new SpoolError(spoolProblem);
    await spool.append(body);
    counted.spooled.inc();
    wakeDrain();
    return 'spooled';
  };

  const publish = async (event: WeirEvent): Promise<Published> => {
    const body = encodeEvent(event);
    if (channel && !blocked && !closing && inFlight.size < window && (await send(body, event))) {
      counted.confirmed.inc();
      return 'confirmed';
    }
    return toSpool(body).catch((error: unknown) => {
      counted.refused.inc();
      throw error;
    });
  };

  // Draining: the oldest segment first, as a small part of the window, so that live events are never starved.
  let draining: Promise<void> | undefined;
  function wakeDrain(): void {
    if (draining || closing || !spool || !channel || blocked) return;
    draining = drain(spool)
      .catch((error: unknown) => log.error({ err: error }, 'the spool could not be drained'))
      .finally(() => (draining = undefined));
  }
  const drain = async (from: Spool): Promise<void> => {
    while (channel && !blocked && !closing) {
      const segment = await from.oldest();
      if (!segment) return;
      if (!(await sendSegment(segment.payloads))) return setTimeout(wakeDrain, SWEEP_MS).unref() as unknown as void;
      await from.remove(segment);
      log.info({ events: segment.payloads.length, left: from.depth().events }, 'drained from the spool');
    }
  };
  const sendSegment = async (payloads: Buffer[]): Promise<boolean> => {
    for (let at = 0; at < payloads.length; at += DRAIN_WINDOW) {
      const part = payloads.slice(at, at + DRAIN_WINDOW);
      while (channel && inFlight.size + part.length > window) await once(settled, 'settled');
      if (!channel || blocked) return false;
      const sent = part.map((body) => send(body, JSON.parse(body.toString()) as WeirEvent));
      if (!(await Promise.all(sent)).every(Boolean)) return false;
    }
    return true;
  };

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
      await draining?.catch(() => {});
      const deadline = Date.now() + confirmTimeoutMs + SWEEP_MS;
      while (inFlight.size > 0 && Date.now() < deadline) {
        await Promise.race([once(settled, 'settled'), new Promise((resolve) => setTimeout(resolve, SWEEP_MS))]);
      }
      clearInterval(sweep);
      // Closing the connection overtakes what the channel still writes: the channel first (reference A.3, L1).
      const last = channel;
      channel = undefined;
      await Promise.race([last?.close().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
      await link.close();
      await spoolOpened;
      await spool?.close();
    },
  };
}

/** Basic properties only: headers are the slow path of every Node client (reference reliability C.1). */
function properties({ id, type, time }: Pick<WeirEvent, 'id' | 'type' | 'time'>) {
  return {
    persistent: true,
    contentType: 'application/cloudevents+json',
    timestamp: Math.floor(Date.parse(time) / 1000),
    ...(fits(id) ? { messageId: id } : {}),
    ...(fits(type) ? { type } : {}),
  };
}

/** A short string of AMQP 0-9-1 holds 255 bytes. */
function fits(text: string): boolean {
  return text.length <= 85 || Buffer.byteLength(text) <= 255;
}

function publisherMetrics(metrics: Registry, depth: () => ReturnType<Publisher['depth']>) {
  const events = new Counter({
    name: 'weir_publisher_events_total',
    help: 'Events by where they are safe: confirmed by the broker, spooled to disk, or refused by both',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({ name, help, registers: [metrics], collect() { this.set(read()); } }); // prettier-ignore
  gauge('weir_publisher_in_flight_events', 'Events sent and not yet confirmed', () => depth().inFlight);
  gauge('weir_spool_events', 'Events in the spool', () => depth().spooledEvents);
  gauge('weir_spool_bytes', 'Size of the spool', () => depth().spooledBytes);
  return {
    confirmed: events.labels('confirmed'),
    spooled: events.labels('spooled'),
    refused: events.labels('refused'),
  };
}
