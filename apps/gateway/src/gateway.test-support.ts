import { execFile } from 'node:child_process';
import { createServer, request, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { checkEvent, type WeirEvent } from '@weir/events';
import { readConfig } from '@weir/service';
import pino from 'pino';
import { Registry } from 'prom-client';
import { startGateway } from './app';
import { variables } from './config';
import type { Publishes } from './count/announcer';
import type { Clock } from './count/clock';
import type { ManifestRequest } from './count/request';
import { FOLLOW_MS } from './count/visits';
import { singleUpstream } from './rules/rules-file';
import type { Mode, Rule, Rules } from './rules/rules';

/** A client's request for a manifest of `team/app`, as a recorder gets it, without headers and under a rule that says nothing. */
export function manifestRequest(
  asked: Pick<ManifestRequest, 'method' | 'upstream' | 'reference' | 'from' | 'organization'>,
): ManifestRequest {
  const nothing = { client: undefined, accept: undefined, ifNoneMatch: undefined, authorization: undefined };
  return { at: new Date(), rule: {} as Rule, repository: 'team/app', name: 'team/app', ...nothing, ...asked };
}

/** A clock that stands still until it is turned. */
export function manualClock(): Clock & { pass(ms: number): void } {
  let now = 0;
  let pending: { at: number; what: () => void }[] = [];
  return {
    now: () => now,
    after(ms, what) {
      const entry = { at: now + ms, what };
      pending.push(entry);
      return () => void (pending = pending.filter((other) => other !== entry));
    },
    pass(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = pending.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        pending = pending.filter((other) => other !== next);
        now = Math.max(now, next.at);
        next.what();
      }
      now = end;
    },
  };
}

/** A publisher that only remembers: the double for tests of the gateway itself. The real one has its own tests. */
export function publisherDouble(): Publishes & { events: WeirEvent[] } {
  const events: WeirEvent[] = [];
  return {
    events,
    publishAll: (made) =>
      Promise.allSettled(
        made.map(async (event) => {
          // As it travels: what is undefined is not there.
          const checked = checkEvent(JSON.parse(JSON.stringify(event)), { now: new Date() });
          if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
          events.push(checked.event);
          return 'confirmed' as const;
        }),
      ),
  };
}

export interface TestGateway {
  /** `127.0.0.1:port`, as clients name it. */
  host: string;
  url: string;
  /**
   * Everything published so far, or all of these types, after all answered requests have been counted and a few seconds
   * have passed in which a HEAD could have become the first step of a pull.
   */
  events(...types: string[]): Promise<WeirEvent[]>;
  /** Counts all answered requests, then lets time pass for the counting. */
  pass(ms: number): Promise<void>;
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  /** All metrics, as they are scraped. */
  metricsText(): Promise<string>;
  /** What was logged, as text. */
  logged(): string;
  /** As SIGHUP does. */
  reload(): void;
  stop(): Promise<void>;
}

/** A gateway on a free port in this process, in front of one registry or behind rules. */
export async function startTestGateway(
  behind: { upstream: string; mode?: Mode; publicUrl?: string } | { rules: Rules },
  environment: Record<string, string> = {},
  publisher: Publishes & { events?: WeirEvent[] } = publisherDouble(),
): Promise<TestGateway> {
  const config = readConfig(variables, { GATEWAY_PORT: '0', ...environment });
  const rules =
    'rules' in behind ? behind.rules : singleUpstream(behind.upstream, behind.publicUrl, behind.mode ?? 'auto');
  const metrics = new Registry();
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const releases: (() => unknown)[] = [];
  const onStop = (_: string, release: () => unknown) => void releases.push(release);
  const clock = manualClock();
  let reload = (): unknown => undefined;
  const onReload = (_: string, again: () => unknown) => void (reload = again);
  const context = { host: '127.0.0.1', log, metrics, onStop, onReload };
  const port = await startGateway({ config, rules, publisher, clock, context });

  const metric = async (name: string, labels: Record<string, string> = {}): Promise<number> => {
    const values = (await metrics.getSingleMetric(name)?.get())?.values ?? [];
    const fitting = values.filter((value) =>
      Object.entries(labels).every(([label, wanted]) => (value.labels as Record<string, unknown>)[label] === wanted),
    );
    return fitting.reduce((sum, { value }) => sum + value, 0);
  };
  const counted = async (): Promise<void> => {
    const deadline = Date.now() + 20_000;
    while ((await metric('weir_gateway_waiting_answers')) > 0) {
      if (Date.now() > deadline) throw new Error('answers still wait to be counted');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const pass = async (ms: number): Promise<void> => {
    await counted();
    clock.pass(ms);
    await counted();
  };
  return {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    metric,
    metricsText: () => metrics.metrics(),
    logged: () => lines.join(''),
    reload: () => void reload(),
    pass,
    async events(...types) {
      await pass(FOLLOW_MS);
      const events = publisher.events ?? [];
      return types.length === 0 ? events : events.filter(({ type }) => types.includes(type));
    },
    async stop() {
      for (const release of releases.reverse()) await release();
    },
  };
}

/** A registry that says what the test wants: for answers that a real one gives only in trouble. */
export async function scriptedUpstream(
  answer: RequestListener,
  host = '127.0.0.1',
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One request as it is written here: nothing is normalised, no redirect is followed. */
export function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** The errors of an answer in the registry's error shape. */
export function errorOf(body: Buffer): unknown[] {
  return (JSON.parse(body.toString()) as { errors: unknown[] }).errors;
}

/** Runs the real skopeo; `docker://` references without TLS. Resolves with what it printed. */
export async function skopeo(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('skopeo', ['--insecure-policy', ...args], { timeout: 60_000 });
  return stdout;
}
