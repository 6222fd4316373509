import { createPublisher } from '@weir/bus';
import { ConfigError, listen, type Config, type Context } from '@weir/service';
import type { variables } from './config';
import { createHandler } from './handler';
import { createKnowledge } from './count/knowledge';
import { createMetrics } from './metrics';
import type { Gateway } from './answer/exchange';
import { createReadability } from './answer/readability';
import type { Publishes } from './count/announcer';
import { clock as realClock, type Clock } from './count/clock';
import { createRecorder, type Recorder } from './count/recorder';
import { openSharedKnowledge } from './count/shared-knowledge';
import { needSecret, openIdentities } from './identity/open-identity';
import { createRateLimit } from './rate-limit';
import type { Rules } from './rules/rules';
import { createReload } from './rules/reload';
import { readRulesFile, singleUpstream, type ReadRules } from './rules/rules-file';
import { createUpstreams } from './rules/upstreams';
import { createAddressOf } from './source/client-address';
import { openSources } from './source/open-sources';
import { closeServer, createGatewayServer } from './server';
import { openUpstream } from './answer/upstream';

/** What `config.ts` makes of the environment. */
export type GatewayConfig = Config<typeof variables>;

const ANSWER_GRACE_MS = 8_000;
const EVENT_GRACE_MS = 3_000;
const NOTHING = { answers: 0, visits: 0, checks: 0, downloads: 0 };

/** Are the rules whole, and is there all that they need? @throws ConfigError */
export function check(config: GatewayConfig): void {
  needSecret(rulesOf(config).identity, config.INTROSPECTION_CLIENT_SECRET);
}

/** Starts the gateway. It is up without a broker (events wait in the spool) and without its upstreams (502). */
export async function start(config: GatewayConfig, context: Context): Promise<void> {
  const { log, metrics, health, onStop } = context;
  const rules = rulesOf(config);

  const publisher = createPublisher({
    url: config.AMQP_URL,
    spoolDir: config.SPOOL_DIR,
    spoolBytes: config.SPOOL_BYTES,
    name: 'weir-gateway',
    source: sourceOf(config),
    log,
    metrics,
  });
  onStop('publisher', () => publisher.close());
  // A missing broker is no reason to be taken out of service: events wait in the spool. Losing them would be one.
  health.check('events', publisher.accepting);

  const port = await startGateway({ config, rules, publisher, context });
  log.info(
    { port, host: context.host, upstreams: rules.upstreams.map(({ name, url }) => ({ name, url })) },
    'gateway listens',
  );
}

/** The gateway itself, with a publisher given. Resolves with its port; SIGHUP makes it read its rules file anew. */
export async function startGateway(options: {
  config: GatewayConfig;
  rules: Rules;
  publisher: Publishes;
  context: Pick<Context, 'host' | 'log' | 'metrics' | 'onStop' | 'onReload'>;
  clock?: Clock;
}): Promise<number> {
  const { config, rules, publisher, context, clock = realClock } = options;
  const { log, onStop } = context;
  const limits = {
    connectTimeoutMs: config.UPSTREAM_CONNECT_TIMEOUT_MS,
    answerTimeoutMs: config.UPSTREAM_ANSWER_TIMEOUT_MS,
    idleTimeoutMs: config.UPSTREAM_IDLE_TIMEOUT_MS,
    connections: config.UPSTREAM_CONNECTIONS,
  };
  const upstreams = createUpstreams((target) => openUpstream(target, limits));
  onStop('upstreams', () => upstreams.close());

  let recorder: Recorder | undefined;
  const metrics = createMetrics([context.metrics], () => recorder?.state() ?? NOTHING);
  const identities = openIdentities({ metrics, log, clientSecret: config.INTROSPECTION_CLIENT_SECRET });
  onStop('identities', identities.close);
  const addressOf = createAddressOf(config.TRUSTED_PROXIES);
  const { sources, close } = await openSources(config, { addressOf, metrics, log });
  onStop('secrets of sources', close);
  const readability = createReadability();
  const shared = config.REDIS_URL === undefined ? undefined : await openSharedKnowledge({ url: config.REDIS_URL, log, metrics }); // prettier-ignore
  onStop('shared knowledge', () => shared?.close());
  const knowledge = createKnowledge({ labels: rules.fusionLabels, metrics, shared });
  const counting = (recorder = createRecorder({
    publisher,
    knowledge,
    readability,
    metrics,
    log,
    clock,
    source: sourceOf(config),
  }));
  onStop('events of answered requests', () => counting.drain(EVENT_GRACE_MS));

  const parts = {
    sources,
    rateLimit: rateLimitOf(config),
    addressOf,
    recorder,
    readability,
    metrics,
    log,
  };
  const under = (now: Rules): Gateway => ({
    ...parts,
    rules: now,
    identity: identities.under(now.identity),
    upstreams: upstreams.named(now.upstreams), // last: what can fail comes before anything is changed
  });
  let gateway = under(rules);
  metrics.rulesLoaded.setToCurrentTime();
  const serve = (changed: Rules): void => {
    gateway = under(changed);
    knowledge.want(changed.fusionLabels);
    readability.forgetAll();
  };
  context.onReload('rules', createReload({ read: () => reread(config), serve, metrics, log }));

  const handler = createHandler(() => gateway);
  const server = createGatewayServer(handler, { connections: config.CLIENT_CONNECTIONS });
  const port = await listen(server, { host: context.host, port: config.GATEWAY_PORT, variable: 'GATEWAY_PORT' });
  onStop('requests', () => closeServer(server, ANSWER_GRACE_MS));
  return port;
}

function rateLimitOf({ RATE_LIMIT_PER_SECOND: perSecond, RATE_LIMIT_BURST: burst }: GatewayConfig) {
  return perSecond === 0 ? undefined : createRateLimit({ perSecond, burst });
}

function reread({ RULES_FILE: file, GATEWAY_MODE: mode }: GatewayConfig): ReadRules {
  if (file === undefined) return { ok: false, problems: ['there is no RULES_FILE: UPSTREAM changes with a restart'] };
  return readRulesFile(file, mode);
}

function rulesOf(config: GatewayConfig): Rules {
  const { UPSTREAM: upstream, UPSTREAM_PUBLIC_URL: publicUrl, RULES_FILE: file } = config;
  if (file === undefined) {
    if (upstream !== undefined) return singleUpstream(upstream, publicUrl, config.GATEWAY_MODE);
    const message = 'is missing: set it to a registry such as http://127.0.0.1:5000, or RULES_FILE to a file';
    throw new ConfigError([{ variable: 'UPSTREAM', message }]);
  }
  const beside = (['UPSTREAM', 'UPSTREAM_PUBLIC_URL'] as const).filter((variable) => config[variable] !== undefined);
  const message = 'cannot stand beside RULES_FILE: name the registry in the file';
  if (beside.length > 0) throw new ConfigError(beside.map((variable) => ({ variable, message })));
  const read = readRulesFile(file, config.GATEWAY_MODE);
  if (!read.ok) throw new ConfigError(read.problems.map((message) => ({ variable: 'RULES_FILE', message })));
  return read.rules;
}

/** The source of what this gateway says. */
function sourceOf({ GATEWAY_NAME: name }: GatewayConfig): string {
  return name === undefined ? 'weir/gateway' : `weir/gateway/${name}`;
}
