import { setTimeout as pause } from 'node:timers/promises';
import {
  createAnswering,
  createAudit,
  createCanary,
  createSender,
  HISTORY,
  queueOf,
  type Answer,
  type Audit,
  type Canary,
  type Consumer,
  type Sender,
} from '@weir/bus';
import type { Logger } from 'pino';
import { createFindings } from './findings';
import type { WorkerMetrics } from './metrics';

/** How often a worker looks at the topology and sends itself a canary. */
export const WATCH_INTERVAL_MS = 10_000;

/**
 * A worker's watch over its way from the exchange to the store: canaries that must come back, and a topology that must
 * be there. It mends what it can, and says what it found (docs/decisions/0006).
 */
export interface Watch {
  sender: Sender;
  audit: Audit;
  /** Answers a canary that this instance has taken from the queue. */
  answer(to: Answer): void;
  /** True, or what is missing from the topology. */
  topology(): true | string;
  /** True while canaries come back; otherwise for how long none has, and why if that is known. */
  canary(): true | string;
  close(): Promise<void>;
}

export interface WatchOptions {
  url: string;
  name: string;
  log: Logger;
  counted: WorkerMetrics;
  intervalMs: number;
  consumer(): Consumer | undefined;
  store(): true | string;
  /** A canary has come back. */
  flowed(): void;
}

/** Pauses between checks of a flow that stands still, doubled each time: every check leaves canaries in its queue. */
const STANDSTILL = { initialMs: 10_000, maxMs: 300_000 };
/** So many instances of one worker are reckoned with. */
const MOST_CONSUMERS = 20;

export function createWatch(options: WatchOptions): Watch {
  const { url, name, log, counted, intervalMs, consumer, store } = options;
  const ending = new AbortController();
  const startedAt = performance.now();
  let lastReturnAt: number | undefined;
  /** Why the last canary could not be sent. */
  let unsent: string | undefined;
  let standstillMs = STANDSTILL.initialMs;
  let notBefore = 0;

  const findings = createFindings({ name, log, counted, intervalMs });
  const audit = createAudit({ url, worker: name, log, found: findings.found, repaired: findings.repaired });
  const sender = createSender({
    url,
    log,
    name: `${name} sender`,
    prepare: audit.ensure,
    answered: (id) => canary.answered(id),
    connected() {
      canary.forget();
      answering.again();
    },
  });
  const answering = createAnswering(sender);
  const canary: Canary = createCanary({
    worker: name,
    sender,
    lost: findings.lost,
    returned({ sentAt, tripMs }) {
      findings.arrived(sentAt);
      lastReturnAt = performance.now();
      counted.canaryTimestamp.setToCurrentTime();
      counted.canarySeconds.set(tripMs / 1000);
      standstillMs = STANDSTILL.initialMs;
      notBefore = 0;
      options.flowed();
    },
  });

  const look = async (): Promise<void> => {
    try {
      findings.looked(await audit.look());
    } catch {
      findings.blind(); // the state of its connection says why
    }
  };

  const check = createCheck({ audit, canary, findings, name, lateMs: intervalMs / 2, consumer });
  const fly = async (): Promise<void> => {
    if (sender.state() !== true || consumer()?.state() !== true) return;
    // One that is out tells enough, where the queue is long or the store does not answer.
    if (canary.out() && performance.now() < notBefore) return;
    try {
      const back = await check();
      unsent = undefined;
      if (back) return;
    } catch (error) {
      unsent = (error as Error).message;
      throw error;
    }
    notBefore = performance.now() + standstillMs;
    standstillMs = Math.min(2 * standstillMs, STANDSTILL.maxMs);
  };

  const every = async (work: () => Promise<void>): Promise<void> => {
    while (!ending.signal.aborted) {
      const begun = performance.now();
      await work().catch((error: unknown) => log.debug({ reason: (error as Error).message }, 'no canary was sent'));
      const left = Math.max(intervalMs / 10, intervalMs - (performance.now() - begun));
      await pause(left, undefined, { signal: ending.signal }).catch(() => {});
    }
  };
  const watching = [every(look), every(fly)];

  const silentMs = () => performance.now() - (lastReturnAt ?? startedAt);
  const why = (): string => {
    const states: (true | string)[] = [
      store(),
      consumer()?.state() ?? 'not consuming yet',
      sender.state(),
      unsent ?? true,
    ];
    for (const state of states) if (state !== true) return state;
    const { messages } = findings.depth(queueOf(name));
    if (messages > 0) return `${messages} messages wait in ${queueOf(name)}`;
    return 'they are confirmed, but do not come out of the queue';
  };

  return {
    sender,
    audit,
    answer: answering.answer,
    topology: findings.state,
    canary: () =>
      silentMs() <= 3 * intervalMs || `no canary has come back for ${Math.round(silentMs() / 1000)} s: ${why()}`,
    async close() {
      ending.abort();
      canary.forget();
      await Promise.all([sender.close(), audit.close()]);
      await Promise.all(watching);
    },
  };
}

/**
 * One check of the whole way: true when a canary came back. What is missing is known by what two confirmed canaries
 * in a row did not do; then everything is declared again, and a third one tells whether that was it.
 */
function createCheck(options: {
  name: string;
  audit: Audit;
  canary: Canary;
  findings: ReturnType<typeof createFindings>;
  lateMs: number;
  consumer(): Consumer | undefined;
}): () => Promise<boolean> {
  const { name, audit, canary, findings, lateMs, consumer } = options;

  /** Sends canaries and waits for one to come back, and for the history to get one. */
  const send = async (count: number): Promise<{ back: boolean; recorded: boolean }> => {
    const history = await audit.watchHistory();
    try {
      const back = await canary.fly(count, lateMs);
      return { back, recorded: (await history?.seen(back ? lateMs : 0)) ?? true };
    } finally {
      await history?.end();
    }
  };

  return async () => {
    const begun = performance.now();
    const first = await send(1);
    if (first.back && first.recorded) return true;

    // Another instance may hold the first one: of some more than there are consumers, one would come here. A broker
    // that is too busy to count says 0, which cannot be.
    const consumers = (await audit.look()).depths.get(queueOf(name))?.consumers || 2;
    const second = await send(first.back || consumers === 1 ? 1 : 2 * Math.min(consumers, MOST_CONSUMERS) + 1);
    const back = first.back || second.back;
    const recorded = first.recorded || second.recorded;
    if (back && recorded) return true;

    await audit.declare();
    canary.declared();
    if (!recorded) {
      findings.found([{ kind: 'binding', name: HISTORY }]);
      findings.repaired([{ kind: 'binding', name: HISTORY }]);
    }
    if (back) return true;

    if (await canary.fly(1, lateMs)) return true;

    // Confirmed, so in the queue; nothing came here all the time, and nothing is in hand that would keep it out.
    const consuming = consumer();
    if (consuming && consuming.lastMessageAt() < begun && consuming.oldestSince() === undefined)
      consuming.reset('canaries are in the queue, but the broker delivers nothing: consuming anew');
    return false;
  };
}
