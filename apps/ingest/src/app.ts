import { createPublisher } from '@weir/bus';
import { listen } from '@weir/service';
import type { Config, Context } from '@weir/service';
import type { variables } from './config';
import { createFirstTime } from './first-time';
import { ingestMetrics } from './metrics';
import { createOrganizationLimit } from './organizations';
import { createQuota } from './quota';
import { ingestRoutes } from './routes';
import { boundedServer, drain } from './server';
import { createNonces } from './signature';
import { readTls } from './tls';

/** Nonces of signed requests that are remembered for ten minutes, of all keys together: some 100 bytes each. */
const REMEMBERED_NONCES = 500_000;

/** Starts the emergency API. It needs nothing but its own disk: without the broker, events wait in the spool. */
export async function start(config: Config<typeof variables>, context: Context): Promise<void> {
  const { log, metrics } = context;
  const tls = readTls(config);
  const publisher = createPublisher({
    url: config.AMQP_URL,
    spoolDir: config.SPOOL_DIR,
    spoolBytes: config.SPOOL_BYTES,
    name: 'ingest',
    source: 'weir/ingest',
    log,
    metrics,
  });
  context.onStop('publisher', () => publisher.close());

  // A posted event will be kept: by the broker, or else by the spool, which must be ours even while nothing goes there.
  context.health.check('keeping events', publisher.accepting);
  context.health.check('spool', publisher.owning);
  // Without the broker ingest goes on; why it is gone, blocked or refuses us is for people to know.
  context.health.tell('rabbitmq', publisher.ready);
  const keys = config.INGEST_KEYS;
  const routes = ingestRoutes({
    firstTime: createFirstTime(),
    keys,
    quota: createQuota({
      publisher,
      eventsPerSecond: config.INGEST_KEY_EVENTS_PER_SECOND,
      spoolBytes: config.SPOOL_BYTES,
      spoolPercent: keys.length === 1 ? 100 : config.INGEST_KEY_SPOOL_PERCENT,
    }),
    mayName: createOrganizationLimit(config.INGEST_KEY_ORGANIZATIONS),
    nonces: createNonces(Math.ceil(REMEMBERED_NONCES / keys.length)),
    limits: { bodyBytes: config.INGEST_BODY_BYTES, events: config.INGEST_MAX_EVENTS },
    publisher,
    metrics: ingestMetrics(metrics),
    log,
  });
  const server = boundedServer(routes, {
    connections: config.INGEST_MAX_CONNECTIONS,
    requestTimeoutMs: config.INGEST_REQUEST_TIMEOUT_MS,
    tls,
  });
  const port = await listen(server, { host: context.host, port: config.INGEST_PORT, variable: 'INGEST_PORT' });
  context.onStop('POST /events', () => drain(server));
  log.info({ port, tls: tls !== undefined, keys: keys.map(({ name }) => name) }, 'taking events');
}
