import type { ConfirmChannel, Options } from 'amqplib';
import { encodeEvent, type WeirEvent } from '@weir/events';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createDrain } from './drain';
import { createEmergency, SHORTEST_MS } from './emergency';
import { episodeFile } from './episode-file';
import { keepConnected } from './link';
import { messageOptions, messageOptionsOf } from './message';
import { publisherMetrics, type PublisherDepth, type PublisherState } from './publisher-metrics';
import { createWindow, type Settled, type Window } from './publisher-window';
import { openSpool, type Spool } from './spool';
import { fileSystem } from './spool-disk';
import { SpoolError, spoolErrorOf } from './spool-error';
import { withTimeout } from './timeout';
import { declareOn, EXCHANGE, neededToPublish, WORKERS } from './topology';

/** Where an event is safe: confirmed by the broker (every queue has it on disk), or in this process's spool. */
export type Published = 'confirmed' | 'spooled';

/** An event as it travels: its body, and what the properties of its message are made of. */
export interface Encoded extends Pick<WeirEvent, 'id' | 'type' | 'time'> {
  /** By `encodeEvent`. */
  body: Buffer;
}

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
  /** {@link publishAll} for whoever has encoded them already. */
  publishEncoded(messages: readonly Encoded[]): Promise<PromiseSettledResult<Published>[]>;
  /** True when events can be taken durably and go straight to the broker; otherwise what is wrong. */
  ready(): true | string;
  /** True when an event would be taken durably now, by the broker or by the spool; otherwise why not, without paths. */
  accepting(): true | string;
  /** True when the spool's directory is this process's; otherwise why not, for the operator: with the path. */
  owning(): true | string;
  depth(): PublisherDepth;
  /** Waits a few seconds for what is in flight, spools the rest, then lets go of broker and spool. */
  close(): Promise<void>;
}

export interface PublisherOptions {
  /** AMQP URL, or several with commas between them. */
  url: string;
  /** Directory of the spool, this process's alone. */
  spoolDir: string;
  log: Logger;
  metrics: Registry;
  /** Unconfirmed events at most; beyond it events go to the spool, so that memory stays bounded. */
  window?: number;
  /** What those may measure together, bytes. */
  windowBytes?: number;
  /** How long a confirm may take before the event goes to the spool as well, milliseconds. */
  confirmTimeoutMs?: number;
  /** The spool's quota, bytes. */
  spoolBytes?: number;
  /** Shown in the broker's list of connections. */
  name?: string;
  /** Who tells of emergencies (`createEmergency`): `weir/ingest`. Without it nobody does. */
  source?: string;
  /** How long an emergency lasts at least that is told of, milliseconds. */
  emergencyMs?: number;
}

const SWEEP_MS = 1000;
/**
 * The part of the window that is the spool's: live events have all the rest, and cannot take this one. It is sent and
 * confirmed as a whole, before the next; small in bytes, for a live event may stand behind it on the connection.
 */
const DRAIN_SHARE = 1 / 8;
const DRAIN_BYTES = 1024 ** 2;
/** What waits for a spool that is still being opened at most, bytes. */
const OPENING_BYTES = 64 * 1024 ** 2;
/** How long a broker that did not confirm an event is not relied on by `accepting`. */
const DISTRUST_MS = 30_000;
/** A spool that another process still holds, or a disk that is full, is tried again. */
const SPOOL_RETRY_MS = 2000;
/** How long closing waits for confirms before it spools what is in flight; all of it must fit a grace period. */
const CLOSE_MS = 5000;
const GOODBYE_MS = 2000;

const CONFIRMED: PromiseSettledResult<Published> = { status: 'fulfilled', value: 'confirmed' };
const SPOOLED: PromiseSettledResult<Published> = { status: 'fulfilled', value: 'spooled' };
const NOTHING = { events: 0, bytes: 0, otherBytes: 0, since: undefined };

/** Connects in the background; never throws for a broker that is missing. */
export function createPublisher(options: PublisherOptions): Publisher {
  const { url, spoolDir, log, metrics, window = 4096, windowBytes = 32 * 1024 ** 2 } = options;
  const { confirmTimeoutMs = 10_000, spoolBytes = 1024 ** 3, source, emergencyMs = SHORTEST_MS } = options;
  const counted = publisherMetrics(metrics, spoolBytes, () => state());
  const drainEvents = Math.max(1, Math.floor(window * DRAIN_SHARE));
  const drainBytes = Math.min(DRAIN_BYTES, windowBytes * DRAIN_SHARE);
  const settles = (confirmed: boolean): void => void (refusedAt = confirmed ? -Infinity : performance.now());
  const live = createWindow({ events: Math.max(1, window - drainEvents), bytes: windowBytes - drainBytes, settles });
  const drained = createWindow({ events: drainEvents, bytes: drainBytes, settles });
  let channel: ConfirmChannel | undefined;
  let blocked = false;
  let closing = false;
  let refusedAt = -Infinity;

  let spool: Spool | undefined;
  let spoolProblem = new SpoolError('the spool is not open yet', 'The spool is not open yet');
  let reopening: NodeJS.Timeout | undefined;
  let waitingBytes = 0;
  const tryToOpenSpool = async (): Promise<void> => {
    try {
      const onDamage = (places: number) => counted.damaged.inc(places);
      const opened = await openSpool({ dir: spoolDir, maxBytes: spoolBytes, log, onDamage });
      await emergency?.begin(opened.depth());
      spool = opened;
      drain.wakeNow();
    } catch (error) {
      const problem = spoolErrorOf(error);
      const reason = problem.message;
      if (reason !== spoolProblem.message) log.error({ reason }, 'the spool cannot be used: trying again');
      spoolProblem = problem;
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
        refusedAt = -Infinity;
        drain.wakeNow();
      });
      const unavailable = await declareOn(connection, WORKERS, neededToPublish);
      if (unavailable.length > 0)
        log.warn({ unavailable }, 'the broker cannot reach some queues: going on without them');
      const opened = await connection.createConfirmChannel();
      opened.on('error', (error: Error) => log.warn({ reason: error.message }, 'the publishing channel failed'));
      opened.on('close', () => {
        if (channel === opened) channel = undefined;
        if (!closing) lost('the publishing channel closed');
      });
      blocked = false;
      refusedAt = -Infinity;
      channel = opened;
      drain.wakeNow();
    },
  });

  /** Sends one; calls `settled` once with whether the broker confirmed it, at once when it does not fit. */
  const send = (body: Buffer, properties: Options.Publish, through: Window, settled: Settled): void => {
    if (!channel || !through.fits(body.length)) return settled(false);
    const settle = through.enter(body.length, settled);
    try {
      channel.publish(EXCHANGE, '', body, properties, (error: unknown) => settle(!error));
    } catch {
      settle(false); // the channel closed under us
    }
  };

  /** Resolves with the messages that the broker did not confirm, in the same order. */
  const sendAll = <M>(messages: readonly M[], one: (message: M, settled: Settled) => void): Promise<M[]> =>
    new Promise((resolve) => {
      const refused: number[] = [];
      let left = messages.length;
      if (left === 0) resolve([]);
      messages.forEach((message, place) =>
        one(message, (confirmed) => {
          if (!confirmed) refused.push(place);
          left -= 1;
          if (left === 0) resolve(refused.sort((a, b) => a - b).map((at) => messages[at] as M));
        }),
      );
    });

  /** What is in flight counts as not confirmed: it goes to the spool, and again with the same identity. */
  const giveUpInFlight = (): void => {
    live.giveUp();
    drained.giveUp();
  };

  const sweep = setInterval(() => {
    if (Math.max(live.oldestMs(), drained.oldestMs()) < confirmTimeoutMs) return;
    log.warn({ inFlight: state().inFlight, confirmTimeoutMs }, 'confirms are late: spooling');
    channel = undefined;
    giveUpInFlight();
    link.reset('confirms are late');
  }, SWEEP_MS);
  sweep.unref();

  /** Resolves with why each is not in the spool, undefined for one that is. */
  const toSpool = async (bodies: readonly Buffer[]): Promise<(SpoolError | undefined)[]> => {
    const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
    if (!spool && waitingBytes + bytes <= OPENING_BYTES) await untilOpened(bytes);
    if (!spool) return bodies.map(() => spoolProblem);
    const problems = await spool.appendAll(bodies);
    const kept = problems.filter((problem) => problem === undefined).length;
    counted.spooled.inc(kept);
    if (kept > 0) emergency?.spooled(kept);
    drain.wake();
    return problems;
  };

  const untilOpened = async (bytes: number): Promise<void> => {
    waitingBytes += bytes;
    await opening;
    waitingBytes -= bytes;
  };

  const goesStraight = (): boolean => channel !== undefined && !blocked && !closing;
  const sendLive = (message: Encoded, settled: Settled): void =>
    send(message.body, messageOptions(message), live, settled);

  const publishEncoded = async (messages: readonly Encoded[]): Promise<PromiseSettledResult<Published>[]> => {
    const left = goesStraight() ? await sendAll(messages, sendLive) : messages;
    counted.confirmed.inc(messages.length - left.length);
    if (left.length === 0) return messages.map(() => CONFIRMED);
    const problems = await toSpool(left.map(({ body }) => body));
    counted.refused.inc(problems.filter((problem) => problem !== undefined).length);
    const outcomes = new Map(left.map((message, at) => [message, outcomeOf(problems[at])]));
    return messages.map((message) => outcomes.get(message) ?? CONFIRMED);
  };

  /** As {@link publishEncoded}, but with as little as can be held for each event that is in flight. */
  const publish = (event: WeirEvent): Promise<Published> =>
    new Promise((resolve, reject) => {
      const body = encodeEvent(event);
      const settled: Settled = (confirmed) => {
        if (!confirmed) return void spoolOne(body).then(resolve, reject);
        counted.confirmed.inc();
        resolve('confirmed');
      };
      if (goesStraight()) send(body, messageOptions(event), live, settled);
      else settled(false);
    });

  const spoolOne = async (body: Buffer): Promise<Published> => {
    const [problem] = await toSpool([body]);
    if (!problem) return 'spooled';
    counted.refused.inc();
    throw problem;
  };

  const emergency =
    source === undefined
      ? undefined
      : createEmergency({ source, file: episodeFile(spoolDir, fileSystem), publish, log, shortestMs: emergencyMs });
  const drain = createDrain({
    log,
    spool: () => spool,
    canSend: () => channel !== undefined && !blocked,
    send: (bodies) => sendAll(bodies, (body, settled) => send(body, messageOptionsOf(body), drained, settled)),
    part: { events: drainEvents, bytes: drainBytes },
    emptied() {
      if (spool?.depth().events === 0) emergency?.drained();
    },
    keepsRefusing: () => link.reset('the broker keeps refusing events'),
  });
  let opening = tryToOpenSpool();

  const state = (): PublisherState => {
    const { events, bytes, otherBytes, since } = spool?.depth() ?? NOTHING;
    return {
      inFlight: live.events() + drained.events(),
      spooledEvents: events,
      spooledBytes: bytes,
      usedBytes: bytes + otherBytes,
      spoolIsOpen: spool !== undefined,
      oldestSpooledSeconds: since === undefined ? 0 : Math.max(0, (Date.now() - since) / 1000),
    };
  };

  return {
    publish,
    publishAll: (events) => publishEncoded(events.map(encoded)),
    publishEncoded,
    depth: state,
    ready: () => (link.state() !== true ? link.state() : blocked ? 'the broker blocks publishers' : true),
    accepting() {
      const reliable = channel && !blocked && performance.now() - refusedAt > DISTRUST_MS;
      return reliable || (spool ? spool.state() : spoolProblem.reason);
    },
    owning: () => (spool ? true : spoolProblem.message),
    async close() {
      closing = true;
      const stopped = drain.stop();
      const deadline = performance.now() + CLOSE_MS;
      for (const each of [live, drained]) await each.empty(Math.max(0, deadline - performance.now()));
      giveUpInFlight();
      await stopped;
      clearInterval(sweep);
      // Closing the connection overtakes what the channel still writes: the channel first (reference A.3, L1).
      const last = channel;
      channel = undefined;
      if (last) await withTimeout(last.close(), GOODBYE_MS).catch(() => {});
      await link.close();
      clearTimeout(reopening);
      await opening;
      await emergency?.close();
      await spool?.close();
    },
  };
}

function encoded(event: WeirEvent): Encoded {
  const { id, type, time } = event;
  return { id, type, time, body: encodeEvent(event) };
}

function outcomeOf(problem: SpoolError | undefined): PromiseSettledResult<Published> {
  return problem ? { status: 'rejected', reason: problem } : SPOOLED;
}
