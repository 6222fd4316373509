import type { Stream } from './journal';
import type { Stage } from './runner';
import { messagesIn } from './queues';
import { eventually, pause } from './wait';

/** How long the stores may take to hold everything once all is repaired and nothing new comes. */
const TIMEOUT_MS = 120_000;
/**
 * With queues and spool empty and nothing coming any more, waiting longer than this does not help: a batch in a
 * worker's hand may have to wait for the time-out of its store.
 */
const STALLED_MS = 40_000;
const LOOK_MS = 250;

/**
 * Waits until every acknowledged event is in every store and nothing is under way any more: queues and spool are empty.
 * The time counts from the end of the last fault until the stores were complete.
 */
export async function untilDrained(
  stage: Stage,
  streams: readonly Stream[],
  mendedAt: number,
  stalledMs = STALLED_MS,
): Promise<{ afterSeconds: number; problem?: string }> {
  const { oracle } = stage;
  const deadline = performance.now() + TIMEOUT_MS;
  let [said, saidAt] = ['', performance.now()];
  for (;;) {
    const lookedAt = performance.now();
    const problem = await lookAt(oracle, streams).catch((error: unknown) => (error as Error).message);
    if (problem === undefined) {
      const afterSeconds = Math.max(0, (lookedAt - mendedAt) / 1000);
      if (await eventually(() => idle(stage), { timeoutMs: 30_000 })) return { afterSeconds };
      return { afterSeconds, problem: 'queues or spool do not run dry' };
    }
    if (problem !== said || !(await idle(stage).catch(() => false))) [said, saidAt] = [problem, lookedAt];
    if (lookedAt > deadline || lookedAt - saidAt > stalledMs)
      return { afterSeconds: 0, problem: `${problem}; ${await queuesOf(stage)}` };
    await pause(LOOK_MS);
  }
}

/** What the broker itself says of its queues: what is neither in them nor in a store is lost, what is unacknowledged is not. */
async function queuesOf({ system }: Stage): Promise<string> {
  // Formatted there: the broker prints some binaries as `#Bin<…>`, which says nothing to a reader.
  const asked = `lists:flatten(lists:join(", ", [
    io_lib:format("~s: ~b ready, ~b unacknowledged, ~b consumers", [Name, Ready, Held, Consumers]) ||
    [{name, {resource, _, queue, Name}}, {messages_ready, Ready}, {messages_unacknowledged, Held}, {consumers, Consumers}]
      <- rabbit_amqqueue:info_all(<<"/">>, [name, messages_ready, messages_unacknowledged, consumers])])).`;
  return system.evaluate(asked).catch((error: unknown) => (error as Error).message);
}

async function lookAt(oracle: Stage['oracle'], streams: readonly Stream[]): Promise<string | undefined> {
  const missing = Object.entries(await oracle.missing()).filter(([, count]) => count > 0);
  if (missing.length > 0)
    return `not drained: ${missing.map(([store, count]) => `${store} lacks ${count}`).join(', ')}`;
  const { lost, findings } = await oracle.judge(streams);
  return lost > 0 ? `not drained: ${findings.join('; ')}` : undefined;
}

async function idle({ system }: Stage): Promise<boolean> {
  const spooled = await system.app('ingest').metric('weir_spool_events');
  return spooled === 0 && (await messagesIn(system.direct.amqp)) === 0;
}
