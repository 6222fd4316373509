import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { installPackages } from '../servers/packages';
import { needProgram } from '../servers/private-server';
import { freePort } from '../servers/ports';
import { startRabbitmq } from '../servers/rabbitmq';
import type { PrivateRabbitmq } from '../servers/rabbitmq';
import { temporaryDirectory } from '../servers/temporary';
import { until } from '../until';

/** Part of a line of deploy/alerts.json. */
interface Alert {
  name: string;
  expr: string;
}

const root = join(__dirname, '../../../..');
const alerts = JSON.parse(readFileSync(join(root, 'deploy/alerts.json'), 'utf8')) as Alert[];
const run = promisify(execFile);
const script = (...args: string[]) => run(process.execPath, [join(root, 'scripts/alerts.mjs'), ...args]);

// promtool makes a database for each of some fifty series, which on a busy machine takes a while.
jest.setTimeout(180_000);

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  dir = await temporaryDirectory();
});
afterAll(() => dir.remove());

test('what Prometheus and Grafana read is as deploy/alerts.json says, and every alert has its section in the guide', async () => {
  await expect(script('--check')).resolves.toMatchObject({ stderr: '' });
});

test('alerts have names of their own, and nothing that Grafana would take for a variable of its environment', () => {
  expect(new Set(alerts.map(({ name }) => name.toLowerCase())).size).toBe(alerts.length);
  for (const { name, expr } of alerts) {
    expect(name).toMatch(/^Weir([A-Z][a-z]+)+$/);
    expect(expr).not.toContain('$');
  }
});

describe('promtool', () => {
  let promtool: string;
  beforeAll(async () => {
    // On a machine where it can be neither found nor installed this fails, and says what to do.
    await installPackages(['prometheus'], { ask: async () => true, progress: () => {} });
    promtool = needProgram('promtool', 'prometheus');
  }, 600_000);

  test('accepts the configuration and the rules', async () => {
    const { stdout } = await run(promtool, ['check', 'config', join(root, 'deploy/prometheus/prometheus.yml')]);
    expect(stdout).toContain(`SUCCESS: ${alerts.length} rules found`);
  });

  test.each(['prometheus', 'grafana'])(
    'sees every alert fire when it should and be silent when not, as in %s',
    async (as) => {
      await script('--tests', dir.path);
      await run(promtool, ['check', 'rules', join(dir.path, `${as}.rules.yml`)]);
      const { stdout } = await run(promtool, ['test', 'rules', join(dir.path, `${as}.test.yml`)]);
      expect(stdout).toContain('SUCCESS');
    },
  );

  test('sees an alert that rings for nothing, and one that does not ring', async () => {
    await script('--tests', dir.path);
    const file = join(dir.path, 'prometheus.rules.yml');
    const broken = readFileSync(file, 'utf8')
      .replace('"weir_redis_data_lost == 1"', '"weir_redis_data_lost >= 0"')
      .replace('"weir_ready == 0"', '"weir_ready == 2"');
    await writeFile(file, broken);
    const failed = run(promtool, ['test', 'rules', join(dir.path, 'prometheus.test.yml')]);
    const stderr = expect.stringMatching(/FAILED[^]*alertname: WeirRedisDataLost[^]*alertname: WeirNotReady/) as string;
    await expect(failed).rejects.toMatchObject({ stderr });
  });
});

describe('every metric that an alert asks for is there:', () => {
  const asked = [...new Set(alerts.flatMap(({ expr }) => metricsIn(expr)))];

  test('only metrics of Weir, of Node, of its process, of RabbitMQ, and whether they answer', () => {
    expect(asked.filter((name) => !/^(weir|nodejs|process|rabbitmq)_\w+$/.test(name))).toEqual(['up']);
  });

  test("Weir's own are registered under that name", () => {
    const source = sourcesOf(join(root, 'apps')).concat(sourcesOf(join(root, 'libs'))).map((file) => readFileSync(file, 'utf8')); // prettier-ignore
    const missing = asked.filter(
      (name) => name.startsWith('weir_') && !source.some((text) => text.includes(`'${name}'`)),
    );
    expect(missing).toEqual([]);
  });

  test("those of every process are prom-client's", async () => {
    const metrics = new Registry();
    collectDefaultMetrics({ register: metrics });
    const text = await metrics.metrics();
    for (const name of asked.filter((each) => /^(nodejs|process)_/.test(each))) expect(text).toContain(`\n${name}`);
  });

  describe('in RabbitMQ', () => {
    let server: PrivateRabbitmq;
    let metrics: (path?: string) => Promise<string>;
    beforeAll(async () => {
      server = await startRabbitmq({ dir: join(dir.path, 'rabbitmq') });
      const port = await freePort();
      const enabled = join(server.dir, 'plugins');
      await server.stop();
      await writeFile(enabled, '[rabbitmq_prometheus].\n');
      const lines = `prometheus.tcp.port = ${port}\nprometheus.tcp.ip = 127.0.0.1\n`;
      await appendFile(join(server.dir, 'rabbitmq.conf'), lines);
      await server.start();
      metrics = async (path = '/metrics') => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    });
    afterAll(() => server.stop());

    test('by name; and a bounded queue that drops counts what it drops', async () => {
      const connection = await connect(server.url);
      const channel = await connection.createConfirmChannel();
      const bounded = { 'x-queue-type': 'quorum', 'x-max-length': 2, 'x-overflow': 'drop-head' };
      await channel.assertQueue('weir.mongo', { durable: true, arguments: bounded });
      for (let n = 0; n < 10; n += 1) channel.sendToQueue('weir.mongo', Buffer.from('{}'));
      await channel.waitForConfirms();
      await connection.close();

      const dropped = /^rabbitmq_global_messages_dead_lettered_maxlen_total\{.*dead_letter_strategy="disabled"\} 8$/m;
      await until(async () => dropped.test(await metrics()));
      const byQueue = '/metrics/detailed?family=queue_coarse_metrics&family=queue_metrics';
      await until(async () => /^rabbitmq_detailed_queue_messages\{.*queue="weir\.mongo"\} 2$/m.test(await metrics(byQueue))); // prettier-ignore
      const text = `\n${await metrics()}\n${await metrics(byQueue)}`;
      const missing = asked.filter((name) => name.startsWith('rabbitmq_') && !new RegExp(`\\n${name}[ {]`).test(text));
      expect(missing).toEqual([]);
    });

    test('an alarm is 1 while it lasts', async () => {
      const alarm = (state: number) => new RegExp(`^rabbitmq_alarms_memory_used_watermark ${state}$`, 'm');
      expect(await metrics()).toMatch(alarm(0));
      await server.evaluate('vm_memory_monitor:set_vm_memory_high_watermark(0.0000001).');
      await until(async () => alarm(1).test(await metrics()));
    });
  });
});

/** Names of metrics: what is left of an expression without its texts, its selectors' labels and its words. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/\{[^}]*\}/g, '')
    .replace(/\bby \([^)]*\)/g, '')
    .replace(/\[[^\]]*\]/g, '');
  const words = new Set(['and', 'or', 'unless', 'time', 'max', 'min', 'sum', 'increase', 'rate', 'deriv', 'changes']);
  return [...bare.matchAll(/[a-z_][a-z0-9_]*/g)].map(([name]) => name).filter((name) => !words.has(name));
}

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'))
    .map((path) => join(folder, path));
}
