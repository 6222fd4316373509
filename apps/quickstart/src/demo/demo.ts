import type { DemoPart, DemoRequest } from '../parts';
import { madeUpEvents, post } from './events';
import { demoChart, demoImages, pushDemoChart, pushDemoImages } from './images';
import { build, mirror } from './jobs';
import { openMachines } from './machines';
import { check, pull, pullWithSkopeo, verify } from './pull';
import { ORGANIZATIONS, demoRules, loginOf } from './rules';

type Machines = ReturnType<typeof openMachines>;

/** Pauses between the turns of each stream: a few events a second altogether, on a machine that has other work. */
const PULL_EVERY_MS = 700;
const CHART_EVERY_MS = 6_000;
const SIGNATURE_EVERY_MS = 9_000;
/** Two pollers by turns: each comes about every 30 s, which the gateway sees to be regular (docs/privacy.md). */
const CHECK_EVERY_MS = 15_000;
const SKOPEO_EVERY_MS = 20_000;
const JOB_EVERY_MS = 8_000;
const POST_EVERY_MS = 4_000;

/**
 * The demo of Weir: a few images and a chart in a registry of its own, and streams of pulls by several machines, checks,
 * signatures, builds, mirrors and events.
 */
export const demo: DemoPart = {
  async prepare(registry, upstream) {
    await pushDemoImages(registry);
    await pushDemoChart(registry);
    return demoRules(registry, upstream);
  },
  start(request) {
    const aborter = new AbortController();
    const { signal } = aborter;
    const machines = openMachines(request.gateway);
    const streams = [
      stream('pulls', PULL_EVERY_MS, pulls(request, machines, signal)),
      stream('charts', CHART_EVERY_MS, charts(request, machines, signal)),
      stream('signatures', SIGNATURE_EVERY_MS, signatures(request, machines, signal)),
      stream('checks', CHECK_EVERY_MS, checks(request, machines, signal)),
      stream('pulls with skopeo', SKOPEO_EVERY_MS, skopeoPulls(request, signal)),
      stream('builds and mirrors', JOB_EVERY_MS, jobs(request, signal)),
      stream('events', POST_EVERY_MS, events(request, signal)),
    ];
    return {
      async stop() {
        aborter.abort();
        await Promise.all(streams);
        await machines.close();
      },
    };

    /** Takes turns until the end; a turn that fails is reported once, until one succeeds again. */
    async function stream(name: string, everyMs: number, turn: (count: number) => Promise<unknown>): Promise<void> {
      let failing = false;
      for (let count = 0; !signal.aborted; count += 1) {
        try {
          await turn(count);
          failing = false;
        } catch (error) {
          if (!failing && !signal.aborted) request.notice(`demo, ${name}: ${(error as Error).message}`);
          failing = true;
        }
        await pause(everyMs * (0.7 + 0.6 * Math.random()), signal);
      }
    }
  },
};

/** The items of a list that is not empty, round and round. */
const at = <T>(list: readonly T[], count: number): T => list[count % list.length] as T;

/**
 * One pull a turn. Machines, images and organizations change at paces that have no common factor, so that every
 * combination comes. Every seventh is anonymous, and every other time round a machine has the layers already: most of
 * the pulls of a registry are such invocations.
 */
function pulls({ gateway }: DemoRequest, { pullers }: Machines, signal: AbortSignal) {
  return async (count: number): Promise<void> => {
    const machine = at(pullers, count);
    const login = count % 7 === 6 ? undefined : loginOf(at(ORGANIZATIONS, count));
    const hasLayers = Math.floor(count / (pullers.length * demoImages.length)) % 2 === 1;
    await pull(gateway, at(demoImages, count), { machine, login, hasLayers }, signal);
  };
}

function charts({ gateway }: DemoRequest, { helm }: Machines, signal: AbortSignal) {
  return (count: number): Promise<void> =>
    pull(gateway, demoChart, { machine: helm, login: loginOf(at(ORGANIZATIONS, count)) }, signal);
}

function signatures({ gateway }: DemoRequest, { cosign }: Machines, signal: AbortSignal) {
  const signed = demoImages.filter((image) => image.signed);
  return (count: number): Promise<void> => verify(gateway, at(signed, count), cosign, signal);
}

/** Each poller looks after an image of its own. */
function checks({ gateway }: DemoRequest, { pollers }: Machines, signal: AbortSignal) {
  return (count: number): Promise<void> =>
    check(gateway, at(demoImages, count % pollers.length), at(pollers, count), signal);
}

function skopeoPulls({ gateway }: DemoRequest, signal: AbortSignal) {
  let missing = false;
  return async (count: number): Promise<void> => {
    if (missing) return;
    missing = !(await pullWithSkopeo(gateway, at(demoImages, count), signal));
  };
}

/**
 * A build and a mirror by turns, for nobody in particular and for each organization with a key of its own; under a
 * few names, so that the registry stays small.
 */
function jobs({ buildService, registry, buildKey, buildKeys }: DemoRequest, signal: AbortSignal) {
  const host = new URL(registry).host;
  const keys = [buildKey, ...Object.values(buildKeys)];
  return async (count: number): Promise<void> => {
    const pair = count >> 1;
    const service = { url: buildService, key: at(keys, pair), signal };
    const image = at(demoImages, pair);
    if (count % 2 === 0) {
      const platforms = pair % 3 === 0 ? ['linux/amd64', 'linux/arm64'] : ['linux/amd64'];
      await build(service, `${host}/demo/built-${pair % 5}:latest`, platforms, `turn ${count}`);
    } else {
      const source = `${host}/${image.repository}:${image.tag}`;
      await mirror(service, source, `${host}/mirror/${image.repository}:${image.tag}`);
    }
  };
}

function events({ ingest, ingestKey }: DemoRequest, signal: AbortSignal) {
  return async (count: number): Promise<void> => {
    const { repository, tag } = at(demoImages, count);
    await post(ingest, ingestKey, madeUpEvents(count, at(ORGANIZATIONS, count), { repository, tag }), signal);
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
