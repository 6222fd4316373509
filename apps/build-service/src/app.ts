import { createPublisher } from '@weir/bus';
import { ConfigError, listen, StartError, type Config, type Context } from '@weir/service';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SOURCE } from './announce';
import { createBuildah } from './buildah';
import type { variables } from './config';
import { createJobs, type JobsOptions } from './jobs';
import { openJournal } from './journal';
import type { Key } from './keys';
import { jobMetrics } from './metrics';
import { writeRegistriesConf } from './registries';
import { createRoutes } from './routes';
import { createSkopeo } from './skopeo';
import { createTools } from './tools';

/** Without keys and with BUILD_ANONYMOUS everybody is this one. */
const ANONYMOUS: Key = { name: 'anonymous', digest: Buffer.alloc(32) };

const HEADERS_TIMEOUT_MS = 10_000;
const UPLOAD_TIMEOUT_MS = 15 * 60_000;
const CONNECTIONS = 1024;

/** Starts the service with its events on the bus. */
export async function start(config: Config<typeof variables>, context: Context): Promise<void> {
  const { log, metrics } = context;
  const publisher = createPublisher({
    url: config.AMQP_URL, spoolDir: config.SPOOL_DIR, spoolBytes: config.SPOOL_BYTES, name: 'build-service', source: SOURCE,
    log, metrics,
  }); // prettier-ignore
  context.onStop('publisher', () => publisher.close());
  context.health.check('keeping events', () => publisher.accepting());
  await serve(config, context, publisher);
}

/**
 * Everything but the bus: what an earlier process left is taken up before the first request is.
 *
 * @returns the port.
 */
export async function serve(
  config: Config<typeof variables>,
  context: Context,
  publisher: JobsOptions['publisher'],
): Promise<number> {
  const { log, metrics, health } = context;
  if (config.BUILD_KEYS.length === 0 && !config.BUILD_ANONYMOUS)
    throw new ConfigError([
      { variable: 'BUILD_KEYS', message: 'names no key. Give one, or let everybody build with BUILD_ANONYMOUS=true' },
    ]);

  const work = await openWorkDir(config.WORK_DIR);
  context.onStop('work directory', work.unlock);
  const insecure = config.INSECURE_REGISTRIES.map((host) => host.toLowerCase());
  const registriesConf = join(work.dir, 'registries.conf');
  await writeRegistriesConf(registriesConf, insecure);
  const { HTTPS_PROXY, HTTP_PROXY, NO_PROXY } = config;
  const tools = createTools({
    path: config.PATH, registriesConf, authFile: config.REGISTRY_AUTH_FILE,
    environment: { HTTPS_PROXY, HTTP_PROXY, NO_PROXY },
  }); // prettier-ignore
  for (const tool of ['buildah', 'skopeo'] as const) {
    health.check(tool, () => tools.available(tool));
    const state = await tools.available(tool);
    if (state !== true) log.error(`${state}. Until then ${tool === 'buildah' ? 'builds' : 'mirrors'} are refused.`);
  }

  const skopeo = createSkopeo(tools, insecure);
  const buildah = createBuildah(tools, skopeo, {
    isolation: config.BUILD_ISOLATION, storageDriver: config.BUILD_STORAGE_DRIVER, insecure,
  }); // prettier-ignore
  const counted = jobMetrics(metrics, () => jobs.depth());
  const jobs = createJobs({
    journal: await openJournal(join(work.dir, 'jobs')),
    publisher,
    runners: { build: buildah, mirror: skopeo },
    log,
    concurrency: config.BUILD_CONCURRENCY,
    queueLimit: config.BUILD_QUEUE,
    historyLimit: config.BUILD_HISTORY,
    timeoutMs: config.BUILD_TIMEOUT_SECONDS * 1000,
    logBytes: config.BUILD_LOG_BYTES,
    onEnd: counted.ended,
  });
  await jobs.recover();
  context.onStop('jobs', () => jobs.close());

  const routes = createRoutes({
    jobs,
    tools,
    log,
    keys: config.BUILD_KEYS,
    ...(config.BUILD_KEYS.length === 0 && { anonymous: ANONYMOUS }),
    uploadDir: work.uploads,
    uploadLimits: { buildBytes: 512 * 1024, contextBytes: config.BUILD_CONTEXT_BYTES },
    contextLimits: { entries: config.BUILD_CONTEXT_ENTRIES, bytes: config.BUILD_UNPACKED_BYTES },
    targets: config.TARGET_REGISTRIES,
    sources: config.SOURCE_REGISTRIES,
  });
  const server = createHttpServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: UPLOAD_TIMEOUT_MS }, routes);
  server.maxConnections = CONNECTIONS;
  const port = await listen(server, {
    host: context.host, port: config.BUILD_SERVICE_PORT, variable: 'BUILD_SERVICE_PORT',
  }); // prettier-ignore
  context.onStop('POST /builds', () => stopTaking(server));
  log.info({ port, keys: config.BUILD_KEYS.map(({ name }) => name) }, 'taking builds and mirrors');
  return port;
}

/** No new connection; readers of logs stay until their job has ended, which stopping the jobs sees to. */
function stopTaking(server: Server): void {
  server.close();
  server.closeIdleConnections();
}

/**
 * Makes the folder and sees that no other process uses it: two would take each other's running jobs for leftovers.
 * The lock is a socket in Linux's abstract namespace (unix(7)): it goes when its process goes, however that ends.
 */
async function openWorkDir(path: string): Promise<{ dir: string; uploads: string; unlock: () => void }> {
  const dir = await mkdir(path, { recursive: true, mode: 0o700 })
    .then(() => realpath(path))
    .catch((error: Error) => {
      throw new StartError(`WORK_DIR cannot be used: ${error.message}`);
    });
  const lock = createServer().unref();
  try {
    await once(lock.listen(`\0weir-build-service-${createHash('sha256').update(dir).digest('hex')}`), 'listening');
  } catch {
    throw new StartError(`WORK_DIR ${dir} is in use by another process: give each its own`);
  }
  const uploads = join(dir, 'uploads');
  await rm(uploads, { recursive: true, force: true }); // what never became a job
  await mkdir(uploads, { mode: 0o700 });
  return { dir, uploads, unlock: () => void lock.close() };
}
