import { Gauge, type Registry } from 'prom-client';

/** True when all is well; otherwise what is wrong, in a few words, without secrets. */
export type Probe = () => true | string | Promise<true | string>;

export interface Health {
  /** Adds a dependency to the readiness of this app. */
  check(name: string, probe: Probe): void;
  /** Adds one that the app can go without: people are told of it, and it stays ready. */
  tell(name: string, probe: Probe): void;
}

export interface Readiness {
  ready: boolean;
  checks: Record<string, true | string>;
}

const PROBE_TIMEOUT_MS = 2000;

/** The checks of one app. A probe that throws or does not answer within 2 s counts as not ready. */
export function createHealth(): Health & { readiness(): Promise<Readiness>; drain(): void } {
  const probes = new Map<string, Probe>();
  const told = new Set<string>();
  let draining = false;
  return {
    check: (name, probe) => void probes.set(name, probe),
    tell(name, probe) {
      probes.set(name, probe);
      told.add(name);
    },
    drain() {
      draining = true;
    },
    async readiness() {
      const checks: Record<string, true | string> = {};
      await Promise.all([...probes].map(async ([name, probe]) => (checks[name] = await answer(probe))));
      if (draining) checks['lifecycle'] = 'shutting down';
      return { ready: Object.entries(checks).every(([name, state]) => state === true || told.has(name)), checks };
    },
  };
}

/** Readiness as a metric, one series for each check: a probe of an orchestrator tells only whether, an alert also why. */
export function readyMetric(registry: Registry, readiness: () => Promise<Readiness>): void {
  new Gauge({
    name: 'weir_ready',
    help: 'Whether a check of this app, as /readyz names it, holds: 1 or 0',
    labelNames: ['check'],
    registers: [registry],
    async collect() {
      const { checks } = await readiness();
      this.reset(); // a check that is no more
      for (const [check, state] of Object.entries(checks)) this.set({ check }, state === true ? 1 : 0);
    },
  });
}

async function answer(probe: Probe): Promise<true | string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${PROBE_TIMEOUT_MS} ms`), PROBE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([Promise.resolve().then(probe), late]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}
