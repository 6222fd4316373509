import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import pino, { type Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { z } from 'zod';
import { adminServer } from './admin';
import { port, readConfig, seconds, text, variable, type Config, type Variables } from './config';
import { ConfigError, StartError } from './errors';
import { createHealth, readyMetric, type Health } from './health';
import { listen } from './http';
import { tlsVariables } from './tls';

/** What an app is given to live with. */
export interface Context {
  name: string;
  version: string;
  /** Where servers listen: the value of HOST. */
  host: string;
  log: Logger;
  metrics: Registry;
  health: Health;
  /** Aborts when shutting down begins. */
  signal: AbortSignal;
  /** Registers the undoing of something that was just made; run in reverse order when the app stops. */
  onStop(what: string, release: () => unknown): void;
  /** Registers what is done on SIGHUP, which ends a process that has registered nothing. One that fails is logged. */
  onReload(what: string, reload: () => unknown): void;
}

/** A process of Weir: its name, the variables it reads, and how it starts. */
export interface App<V extends Variables> {
  name: string;
  variables: V;
  /** Looks for mistakes that no variable shows alone; part of `--check`. @throws ConfigError */
  check?(config: Config<V>): void;
  start(config: Config<V>, context: Context): Promise<void> | void;
  /** By how much the old generation of V8's heap may grow until it is collected, percent of what lives in it; 100 unless told. */
  heapGrowthPercent?: number;
}

/** The variables that every app has. */
export const commonVariables = {
  HOST: variable(text(255).default('127.0.0.1'), { description: 'Address to listen on; 0.0.0.0 for every interface.' }),
  ADMIN_HOST: variable(text(255).default('127.0.0.1'), {
    description: 'Address of /healthz, /readyz and /metrics, which are for operators: never one that strangers reach.',
  }),
  ADMIN_PORT: variable(port().default(0), {
    description: 'Port of /healthz, /readyz and /metrics; 0 takes a free one and logs it.',
  }),
  LOG_LEVEL: variable(
    z.enum(['trace', 'debug', 'info', 'warn', 'error'], 'must be trace, debug, info, warn or error').default('info'),
    {
      description: 'Least severe log line that is written.',
    },
  ),
  SHUTDOWN_GRACE_SECONDS: variable(seconds(1, 600).default(20), {
    description: 'How long the app may take to drain after SIGTERM before it is ended.',
  }),
  ...tlsVariables,
} satisfies Variables;

const EXIT_CONFIG = 78;
/**
 * Little lives in an app, and all that waits for a broker or a store passes through the old generation: left to itself, V8
 * lets three times as much lie dead there.
 */
const HEAP_GROWTH_PERCENT = 100;

/**
 * The whole of an app's `main`: reads the environment, validates it, starts, and stops cleanly on SIGTERM or SIGINT
 * (not ready → release everything in reverse order → exit 0; a second signal forces it). `--check` only validates.
 */
export async function runApp<V extends Variables>(app: App<V>, process: NodeJS.Process): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${app.heapGrowthPercent ?? HEAP_GROWTH_PERCENT}`);
  let config;
  try {
    // The one place below main that reads the environment: main hands its process over for this.
    // eslint-disable-next-line no-restricted-properties
    config = readConfig({ ...commonVariables, ...app.variables }, process.env) as Config<V> &
      Config<typeof commonVariables>;
    app.check?.(config);
  } catch (error) {
    process.stderr.write(`${app.name}: ${(error as Error).message}\n`);
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1);
  }
  if (process.argv.includes('--check')) {
    process.stdout.write(`${app.name}: the configuration is valid\n`);
    process.exit(0);
  }

  const log = logger(app.name, config.LOG_LEVEL, process);
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const health = createHealth();
  readyMetric(metrics, health.readiness);
  const aborter = new AbortController();
  const releases: { what: string; release: () => unknown }[] = [];
  const onStop = (what: string, release: () => unknown) => void releases.push({ what, release });

  const stop = stopper({ log, releases, graceMs: config.SHUTDOWN_GRACE_SECONDS * 1000, process, begin: () => {
    health.drain();
    aborter.abort();
  } }); // prettier-ignore
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('unhandledRejection', (reason) => {
    // A promise that nobody waits for has failed: what it was to do is unknown, so is the state. Start afresh.
    log.fatal({ err: reason }, 'unhandled rejection');
    process.exit(1);
  });

  try {
    const admin = adminServer(health.readiness, metrics);
    const adminPort = await listen(admin, { host: config.ADMIN_HOST, port: config.ADMIN_PORT, variable: 'ADMIN_PORT' });
    onStop('admin server', () => admin.close().closeAllConnections());
    await app.start(config, {
      name: app.name, version, host: config.HOST, log, metrics, health, signal: aborter.signal, onStop,
      onReload: reloader(process, log, aborter.signal),
    }); // prettier-ignore
    log.info({ adminPort }, 'started');
  } catch (error) {
    if (error instanceof StartError || error instanceof ConfigError)
      process.stderr.write(`${app.name}: ${error.message}\n`);
    else log.fatal({ err: error }, 'could not start');
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1);
  }
}

/** Weir's version, from this package: all packages of the repository carry the same one. */
const version = (JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')) as { version: string }).version;

function logger(name: string, level: string, process: NodeJS.Process): Logger {
  const redact = ['*.password', '*.token', '*.authorization', 'headers.authorization', 'headers.cookie'];
  const options = { name, level, redact, base: { app: name }, timestamp: pino.stdTimeFunctions.isoTime };
  // Synchronous, so that the last lines of a process that ends are there, and in order.
  if (!process.stdout.isTTY) return pino(options, pino.destination({ dest: 1, sync: true }));
  return pino({
    ...options,
    transport: { target: 'pino-pretty', options: { ignore: 'app,name', messageFormat: `${name}: {msg}` } },
  });
}

/** Whatever is registered runs on every SIGHUP, until the process begins to stop. */
function reloader(process: NodeJS.Process, log: Logger, stopping: AbortSignal): Context['onReload'] {
  return (what, reload) => {
    process.on('SIGHUP', () => {
      if (stopping.aborted) return;
      Promise.resolve()
        .then(reload)
        .catch((error: unknown) => log.error({ err: error, what }, 'could not be reloaded'));
    });
  };
}

interface Stopper {
  log: Logger;
  releases: { what: string; release: () => unknown }[];
  graceMs: number;
  begin: () => void;
  process: NodeJS.Process;
}

function stopper({ log, releases, graceMs, begin, process }: Stopper): (signal: string) => void {
  let stopping = false;
  const run = async (signal: string): Promise<void> => {
    log.info({ signal }, 'stopping');
    begin();
    for (const { what, release } of releases.reverse()) {
      try {
        await release();
      } catch (error) {
        log.error({ err: error, what }, 'could not be released');
      }
    }
    log.info('stopped');
    process.exit(0);
  };
  return (signal) => {
    if (stopping) {
      log.warn({ signal }, 'second signal: ending at once');
      process.exit(1);
    }
    stopping = true;
    setTimeout(() => {
      log.error({ graceMs }, 'did not drain within the grace period');
      process.exit(1);
    }, graceMs).unref();
    void run(signal);
  };
}
