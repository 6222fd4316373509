import { deadQueueOf, HISTORY, isOptional, queueOf, UNROUTED, type Look, type Missing } from '@weir/bus';
import type { Logger } from 'pino';
import type { WorkerMetrics } from './metrics';

/** What the watch has found out about the topology: in the log, in the metrics, and for readiness. */
export interface Findings {
  looked(look: Look): void;
  /** It could not look: the depths of the queues are not known any more. */
  blind(): void;
  found(missing: readonly Missing[]): void;
  repaired(missing: readonly Missing[]): void;
  /** A canary of this worker came back that was sent at that time (Unix, milliseconds): so did all before it. */
  arrived(sentAt: number): void;
  /** Canaries of this worker have not arrived, or have been dropped from its queue. */
  lost(sentAt: readonly number[]): void;
  /** As the last look counted them. */
  depth(queue: string): { messages: number; consumers: number };
  /** True, or what has been found missing within the last interval. */
  state(): true | string;
}

/** Replaying is idempotent: a minute too much does no harm, and the broker's clock may differ. */
const MARGIN_MS = 60_000;
/** A queue that has fewer messages than this is not about to drop any. */
const FAR_FROM_FULL = 1000;

export function createFindings(options: {
  name: string;
  log: Logger;
  counted: WorkerMetrics;
  intervalMs: number;
}): Findings {
  const { name, log, counted, intervalMs } = options;
  const own = queueOf(name);
  const shown = [own, deadQueueOf(name), UNROUTED];
  const startedAt = Date.now();
  let look: Look = { missing: [], depths: new Map() };
  /** Until when each queue has certainly delivered everything, Unix milliseconds. */
  const deliveredUntil = new Map<string, number>();
  /** What is missing, or was a moment ago, and when that was found (monotonic). */
  const missing = new Map<string, { what: Missing; foundAt: number }>();
  const keyOf = ({ kind, name: of }: Missing) => `${kind} ${of}`;

  const sayRepaired = (what: Missing): void => {
    const from = new Date((deliveredUntil.get(what.name) ?? startedAt) - MARGIN_MS).toISOString();
    const to = new Date().toISOString();
    const worker = workerOf(what);
    const gap = worker ? { from, to, fill: `weir replay ${worker} --from ${from} --to ${to}` } : { from, to };
    const again = what.unavailable === undefined ? 'declared again' : 'there again';
    log.error({ ...what, ...gap }, `${again}: ${consequence(what)}`);
  };

  const found = (all: readonly Missing[]): void => {
    for (const what of all) {
      const is = what.unavailable === undefined ? 'missing' : 'there, but the broker cannot reach it';
      if (!missing.has(keyOf(what))) log.error({ ...what }, `the ${what.kind} ${what.name} is ${is}`);
      missing.set(keyOf(what), { what, foundAt: performance.now() });
      counted.topologyMissing.set({ kind: what.kind, name: what.name }, 1);
    }
  };
  const repaired = (all: readonly Missing[]): void => {
    counted.topologyRepairs.inc(all.length);
    all.forEach(sayRepaired);
  };
  /** What nobody had to declare: the node that has it is back. */
  const sayReturned = (now: Look): void => {
    for (const each of missing.values()) {
      if (each.what.unavailable === undefined || now.missing.some((still) => keyOf(still) === keyOf(each.what)))
        continue;
      repaired([each.what]);
      each.what = { kind: each.what.kind, name: each.what.name };
    }
  };
  const forgetOld = (): void => {
    for (const [key, { what, foundAt }] of missing) {
      if (performance.now() - foundAt < intervalMs) continue; // long enough to be seen
      missing.delete(key);
      counted.topologyMissing.set({ kind: what.kind, name: what.name }, 0);
    }
  };

  return {
    found,
    repaired,
    looked(now) {
      look = now;
      sayReturned(now);
      forgetOld();
      for (const [queue, { messages }] of now.depths) {
        if (queue !== own && messages === 0) deliveredUntil.set(queue, Date.now());
        if (shown.includes(queue)) counted.queueMessages.set({ queue }, messages);
      }
    },
    blind: () => counted.queueMessages.reset(),
    arrived: (sentAt) => void deliveredUntil.set(own, sentAt),
    lost(sentAt) {
      const waiting = look.depths.get(own)?.messages ?? 0;
      if (isOptional(name) && waiting > FAR_FROM_FULL) {
        const [from, to] = [Math.min(...sentAt) - MARGIN_MS, Date.now()].map((at) => new Date(at).toISOString());
        const fill = `weir replay ${name} --from ${from} --to ${to}`;
        log.error({ queue: own, waiting, from, to, fill }, 'events were dropped: the queue of this worker is full');
        return;
      }
      const binding: Missing = { kind: 'binding', name: own };
      found([binding]);
      repaired([binding]);
    },
    depth: (queue) => look.depths.get(queue) ?? { messages: 0, consumers: 0 },
    state() {
      if (missing.size === 0) return true;
      return `missing, or so a moment ago: ${[...missing.keys()].join(', ')} (see the log for what to replay)`;
    },
  };
}

/** Whose events did not arrive: what can be filled in from the history. */
function workerOf({ kind, name }: Missing): string | undefined {
  const isWorkers = name.startsWith('weir.') && !name.startsWith('weir.dead.') && name !== HISTORY && name !== UNROUTED;
  return kind !== 'exchange' && isWorkers ? name.slice('weir.'.length) : undefined;
}

function consequence({ kind, name }: Missing): string {
  if (kind === 'exchange') return 'publishers keep in their spools what an exchange that is missing does not take';
  if (name === HISTORY && kind === 'queue')
    return 'what was in the history is gone, and nothing can be replayed from it';
  if (name === HISTORY) return 'the history lacks events of this time, and so does what is made from it';
  if (workerOf({ kind, name })) return `events of this time may not have reached ${name}`;
  return `what rested in ${name} is gone`;
}
