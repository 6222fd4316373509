import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { needProgram, privateServer } from './private-server';
import { startProcess } from './process';
import { ServerError } from './server';
import type { PrivateServer, StartOptions } from './server';
import { loadState } from './state';

/**
 * Starts a private InfluxDB 1.x with authentication on and one admin user, the one in the URL
 * (`http://user:password@127.0.0.1:port`). It has no database yet.
 */
export async function startInfluxdb(options: StartOptions): Promise<PrivateServer> {
  const { dir, tls } = options;
  const program = needProgram('influxd', 'influxdb');
  const { ports, user, password } = await loadState(dir, ['http', 'rpc']);
  const configFile = join(dir, 'influxdb.conf');
  await writeFile(configFile, configuration(dir, ports, tls), { mode: 0o600 });
  const address = `${tls ? 'https' : 'http'}://127.0.0.1:${ports.http}`;

  return privateServer({
    name: 'influxdb',
    url: address.replace('://', `://${user}:${password}@`),
    ...(tls ? { tlsUrl: `https://${user}:${password}@localhost:${ports.http}` } : {}),
    dir,
    note: `private instance of ${program}, data in ${dir}`,
    launch: async () => [
      await startProcess({
        name: 'influxdb',
        program,
        args: ['-config', configFile],
        dir,
        env: { HOME: dir },
        ready: () => influxdbAnswers(address, user, password),
        ...(options.startTimeoutMs === undefined ? {} : { startTimeoutMs: options.startTimeoutMs }),
      }),
    ],
  });
}

function configuration(dir: string, ports: { http: number; rpc: number }, tls: StartOptions['tls']): string {
  const secured = tls
    ? `https-enabled = true\n  https-certificate = "${tls.certFile}"\n  https-private-key = "${tls.keyFile}"`
    : '';
  return `reporting-disabled = true
bind-address = "127.0.0.1:${ports.rpc}"
[meta]
  dir = "${join(dir, 'meta')}"
[data]
  dir = "${join(dir, 'data')}"
  wal-dir = "${join(dir, 'wal')}"
  index-version = "tsi1"
  query-log-enabled = false
  # The worker guards the number of series; a limit here would refuse points without a word of why.
  max-series-per-database = 0
  max-values-per-tag = 0
[http]
  enabled = true
  bind-address = "127.0.0.1:${ports.http}"
  auth-enabled = true
  log-enabled = false
  ${secured}
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
`;
}

/**
 * Ready means: our admin can ask something. On the very first start there is no user at all, and InfluxDB lets anyone
 * create the first one as long as it is an admin.
 */
export async function influxdbAnswers(address: string, user: string, password: string): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const asked = await query(address, 'SHOW DATABASES', { authorization });
  if (asked.ok) return;
  const created = await query(address, `CREATE USER "${user}" WITH PASSWORD '${password}' WITH ALL PRIVILEGES`, {});
  if (!created.ok) throw new ServerError(`InfluxDB refused its own user: ${asked.body} ${created.body}`);
}

async function query(
  address: string,
  q: string,
  headers: Record<string, string>,
): Promise<{ ok: boolean; body: string }> {
  // Not fetch: it can be told nothing about certificates, and whether ours is a good one is for tests to say.
  const request = address.startsWith('https:') ? httpsRequest : httpRequest;
  const asking = request(`${address}/query`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
    rejectUnauthorized: false,
    signal: AbortSignal.timeout(5_000),
  });
  asking.end(new URLSearchParams({ q }).toString());
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const body = Buffer.concat(await response.toArray()).toString();
  return { ok: response.statusCode === 200 && !body.includes('"error"'), body };
}
