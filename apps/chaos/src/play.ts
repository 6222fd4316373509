import { availableParallelism, loadavg } from 'node:os';
import { createAmqpPublisher } from './amqp-publisher';
import type { Case, Row, World } from './case';
import { untilDrained } from './drained';
import { makeEvent, type SentEvent } from './events';
import { createHttpPublisher } from './http-publisher';
import type { Stream } from './journal';
import { watchLag, type LagWatch } from './lag';
import { startLoad, type Load } from './load';
import type { Verdict } from './oracle';
import { createRandom } from './random';
import type { Stage } from './runner';
import { eventually, pause } from './wait';

export interface PlayOptions {
  seed: number;
  thorough: boolean;
  midnightMs: number;
  /** How long to wait for what does not come, where nothing is under way any more, milliseconds. */
  stalledMs?: number;
  log: (text: string) => void;
}

/** Then once more, a moment later: a late duplicate is a duplicate. */
const QUIET_MS = 1_500;
/** A case that hangs must not keep the others from being played. */
const PLAY_TIMEOUT_MS = 10 * 60_000;
const FRESH_TIMEOUT_MS = 20_000;
const LAG_LIMIT_SECONDS = 2;

/** Plays a case on a system, repairs everything, and lets the oracle judge what the stores hold in the end. */
export async function playCase(each: Case, stage: Stage, options: PlayOptions): Promise<Row> {
  const { seed } = options;
  const { system, oracle } = stage;
  const set = createSet(each, stage, options);
  const problems: string[] = [];
  const attempt = (what: string, work: Promise<unknown>) =>
    work.catch((error: unknown) => void problems.push(`${what}: ${(error as Error).message}`));

  const begun = performance.now();
  await attempt('play', within(each.timeoutMs ?? PLAY_TIMEOUT_MS, each.play(set.world)));
  await attempt('repair', system.repair());
  // Without anything that was broken and mended, what counts is when the last event was sent.
  const mendedAt = system.repairedAt() > begun ? system.repairedAt() : performance.now();
  await set.stopLoads();
  problems.push(...set.problems());

  const { lag, tooMuch } = await set.stopWatching();
  problems.push(...tooMuch);

  const { streams } = set;
  const drained = await untilDrained(stage, streams, mendedAt, options.stalledMs);
  if (drained.problem !== undefined) problems.push(drained.problem);
  await pause(QUIET_MS);
  await attempt('a fresh event', set.sendFresh());
  let verdict: Verdict | undefined;
  await attempt(
    'judging',
    oracle.judge(streams).then((judged) => (verdict = judged)),
  );

  for (const app of system.apps()) {
    const crashes = app.takeCrashes();
    const allowed = each.mayCrash?.some((name) => name === app.name);
    if (crashes.length > 0 && !allowed) problems.push(...new Set(crashes));
  }
  stage.played += 1;
  set.close();

  const { lost = 0, duplicated = 0, unknown = 0, payloadDiffers = 0, findings = [] } = verdict ?? {};
  const ok = problems.length === 0 && verdict !== undefined && lost + duplicated + unknown + payloadDiffers === 0;
  const note = [...problems, ...findings, ...set.notes].join('; ');
  const sum = (of: 'issued' | 'acknowledged' | 'acknowledgedUsage') =>
    streams.reduce((total, stream) => total + stream[of], 0);
  return {
    case: each.id,
    title: each.title,
    seed,
    issued: sum('issued'),
    acknowledged: sum('acknowledged'),
    applied: verdict?.applied ?? { redis: 0, influx: 0, mongo: 0 },
    usage: sum('acknowledgedUsage'),
    lost,
    duplicated,
    unknown,
    payloadDiffers,
    recoverySeconds: drained.problem === undefined ? rounded(drained.afterSeconds) : null,
    ...(lag === undefined ? {} : { otherStoresLagSeconds: rounded(lag) }),
    ok,
    ...(note === '' ? {} : { note }),
  };
}

/** What a case plays with, and what has to be put away after it. */
function createSet(each: Case, stage: Stage, { seed, thorough, midnightMs, log }: PlayOptions) {
  const { system, journal } = stage;
  const streams: Stream[] = [];
  const loads: Load[] = [];
  const watches: { watch: LagWatch; limitSeconds: number }[] = [];
  const notes: string[] = [];
  const http = createHttpPublisher(system.ingest);
  const amqp = createAmqpPublisher(system.link('publisher>rabbitmq').url);

  const stream: World['stream'] = (name, change = (event) => event) => {
    const source = `/chaos/${seed}/${stage.played}/${each.id}/${name}`;
    const make = (number: number): SentEvent => change(makeEvent({ seed, source, number, midnightMs }), number);
    const opened = journal.open(source, make);
    streams.push(opened);
    return opened;
  };
  const pullsOf = (name: string, organization: string): Stream =>
    stream(name, (event) => ({
      ...event,
      type: 'io.weir.pull',
      data: { repository: 'chaos/probe', platform: 'linux/amd64', user: { organization } },
    }));

  const world: World = {
    seed,
    random: createRandom(seed, each.id),
    thorough,
    servers: system.servers,
    link: system.link,
    linksTo: system.linksTo,
    app: system.app,
    system,
    stores: system.stores,
    load(options) {
      const load = startLoad({ stream: stream(`load-${loads.length}`), http, amqp }, options);
      loads.push(load);
      return load;
    },
    stream,
    http,
    amqp,
    watchLag(stores, limitSeconds = LAG_LIMIT_SECONDS) {
      const organization = `lag-${stage.played}-${watches.length}.example`;
      const probes = pullsOf(`lag-${watches.length}`, organization);
      const watch = watchLag({ stream: probes, organization, stores: system.stores, http, watched: stores });
      watches.push({ watch, limitSeconds });
    },
    log: (text) => log(`${each.id}: ${text}`),
    note: (text) => void notes.push(text),
    pause: (ms) => pause(ms),
    async until(what, condition, timeoutMs = 30_000) {
      if (!(await eventually(condition, { timeoutMs }))) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    },
  };

  return {
    world,
    streams,
    notes,
    stopLoads: async () => void (await Promise.all(loads.map((load) => load.stop()))),
    problems: () => loads.flatMap((load) => load.problems()),
    async stopWatching() {
      const tooMuch: string[] = [];
      let worst: number | undefined;
      for (const { watch, limitSeconds } of watches) {
        for (const [store, seconds] of Object.entries(await watch.stop())) {
          worst = Math.max(worst ?? 0, seconds);
          if (seconds <= limitSeconds) continue;
          const what = `${store} was ${seconds.toFixed(1)} s behind, not ${limitSeconds}`;
          // A machine that has something else to do says nothing about Weir's time.
          if (busy()) notes.push(`${what}, on a machine with a load of ${loadavg()[0]?.toFixed(0)}`);
          else tooMuch.push(what);
        }
      }
      return { lag: worst, tooMuch };
    },
    /** After everything: does a new event still reach every store? */
    async sendFresh() {
      const organization = `fresh-${stage.played}.example`;
      const fresh = pullsOf('fresh', organization);
      const event = fresh.issue();
      const arrived = async () => {
        if (fresh.acknowledged === 0 && (await http.post([event])).taken.length === 1) fresh.acknowledge(event);
        return (
          (await system.stores.redis.get(`pulls/o/${organization}`)) === '1' &&
          (await system.stores.influx.count(fresh.source)) === 1 &&
          (await system.stores.mongo.count(fresh.source)) === 1
        );
      };
      if (!(await eventually(arrived, { timeoutMs: FRESH_TIMEOUT_MS }))) throw new Error('did not reach every store');
    },
    close() {
      http.close();
      void amqp.close();
    },
  };
}

async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  const late = new AbortController();
  const timer = pause(timeoutMs, undefined, { signal: late.signal }).then(
    () => Promise.reject(new Error(`not over within ${timeoutMs / 1000} s`)),
    () => {},
  );
  work.catch(() => {}); // heard of below, or too late
  await Promise.race([work, timer]).finally(() => late.abort());
}

/** Far more wants to run than there are processors. */
const busy = () => (loadavg()[0] ?? 0) > 4 * availableParallelism();

const rounded = (seconds: number) => Math.round(seconds * 100) / 100;
