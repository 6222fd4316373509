/** What an app says of itself. */
export interface Readiness {
  ready: boolean;
  /** What stands in the way, in the app's own words. */
  answer: string;
  /** Checks that are red and may be, likewise. */
  without: string[];
}

/**
 * Asks an app's /readyz.
 *
 * @param mayLack - checks that need not be green.
 */
export async function readiness(url: string, mayLack: readonly string[] = []): Promise<Readiness> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3_000) });
    const body = (await response.text()).slice(0, 10_000);
    if (response.status === 200) return { ready: true, answer: 'ready', without: [] };
    const { checks = {} } = JSON.parse(body) as { checks?: Record<string, true | string> };
    const red = Object.entries(checks).filter(([, state]) => state !== true);
    const words = red.map(([name, state]) => `${name}: ${state}`);
    const ready = red.length > 0 && red.every(([name]) => mayLack.includes(name));
    return { ready, answer: words.join('; ') || `answers ${response.status}`, without: ready ? words : [] };
  } catch {
    return { ready: false, answer: 'does not answer', without: [] };
  }
}

/** An app to look after once it has been ready. */
export interface Watched {
  name: string;
  readyUrl: string;
  mayLack: readonly string[];
}

const LOOK_MS = 3_000;

/** Says so when an app is not ready twice in a row, for whatever reason it gives, and when it is ready again. */
export function watchReadiness(apps: readonly Watched[], notice: (text: string) => void): { stop(): void } {
  const before = new Map<string, 'ready' | 'once' | 'reported'>();
  const look = async ({ name, readyUrl, mayLack }: Watched): Promise<void> => {
    const { ready, answer } = await readiness(readyUrl, mayLack);
    const was = before.get(name) ?? 'ready';
    if (ready && was === 'reported') notice(`${name} is ready again`);
    if (!ready && was === 'once') notice(`${name} is not ready: ${answer}`);
    before.set(name, ready ? 'ready' : was === 'ready' ? 'once' : 'reported');
  };
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void Promise.all(apps.map(look)).finally(() => (busy = false));
  }, LOOK_MS);
  return { stop: () => clearInterval(timer) };
}
