import type { DemoPart, DemoRequest } from '../parts';
import { madeUpEvents, post } from './events';
import { demoImages, pushDemoImages } from './images';
import { build, mirror } from './jobs';
import type { Puller } from './pull';
import { check, pull, pullWithSkopeo } from './pull';
import { ORGANIZATIONS, demoRules, loginOf } from './rules';

/** User agents as the clients of those names send them. */
const USER_AGENTS = [
  'docker/27.1.1 go/go1.21.12 git-commit/cc13f95 kernel/6.1.0 os/linux arch/amd64',
  'containerd/1.7.20',
  'containers/5.29.2 (github.com/containers/image)',
  'buildkit/v0.15',
  'Helm/3.15.3',
] as const;

/** Pauses between the turns of each stream: a few events a second altogether, on a machine that has other work. */
const PULL_EVERY_MS = 700;
const SKOPEO_EVERY_MS = 20_000;
const JOB_EVERY_MS = 8_000;
const POST_EVERY_MS = 4_000;

/** The demo of Weir: a few images in a registry of its own, and streams of pulls, checks, builds, mirrors and events. */
export const demo: DemoPart = {
  async prepare(registry, upstream) {
    await pushDemoImages(registry);
    return demoRules(registry, upstream);
  },
  start(request) {
    const aborter = new AbortController();
    const { signal } = aborter;
    const streams = [
      stream('pulls', PULL_EVERY_MS, pulls(request, signal)),
      stream('pulls with skopeo', SKOPEO_EVERY_MS, skopeoPulls(request, signal)),
      stream('builds and mirrors', JOB_EVERY_MS, jobs(request, signal)),
      stream('events', POST_EVERY_MS, events(request, signal)),
    ];
    return {
      async stop() {
        aborter.abort();
        await Promise.all(streams);
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

const organizationAt = (count: number) => ORGANIZATIONS[count % ORGANIZATIONS.length] ?? ORGANIZATIONS[0];
const imageAt = (count: number) =>
  demoImages[count % demoImages.length] ?? (demoImages[0] as (typeof demoImages)[number]);

/**
 * One pull a turn. Clients, images, platforms and organizations change at paces that have no common factor, so that
 * every combination comes; every seventh is anonymous, and every eleventh turn is a mere check.
 */
function pulls({ gateway }: DemoRequest, signal: AbortSignal) {
  return async (count: number): Promise<void> => {
    const image = imageAt(count);
    const platform = image.platforms[(count >> 2) % image.platforms.length] ?? 'linux/amd64';
    const userAgent = USER_AGENTS[count % USER_AGENTS.length] ?? USER_AGENTS[0];
    const who: Puller = { userAgent, platform, ...(count % 7 === 6 ? {} : { login: loginOf(organizationAt(count)) }) };
    if (count % 11 === 10) await check(gateway, image, who, signal);
    else await pull(gateway, image, who, signal);
  };
}

function skopeoPulls({ gateway }: DemoRequest, signal: AbortSignal) {
  let missing = false;
  return async (count: number): Promise<void> => {
    if (missing) return;
    missing = !(await pullWithSkopeo(gateway, imageAt(count), signal));
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
    const service = { url: buildService, key: keys[pair % keys.length] ?? buildKey, signal };
    const image = imageAt(pair);
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
    const { repository, tag } = imageAt(count);
    await post(ingest, ingestKey, madeUpEvents(count, organizationAt(count), { repository, tag }), signal);
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
