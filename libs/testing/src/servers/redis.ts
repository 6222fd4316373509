import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { needProgram, privateServer } from './private-server';
import { startProcess } from './process';
import type { PrivateServer, StartOptions } from './server';
import { loadState } from './state';

export interface RedisOptions extends StartOptions {
  /** Further lines of redis.conf, such as `user …`. */
  settings?: readonly string[];
}

/** Starts a private Redis that keeps its data through a crash: append-only file, synced every second. */
export async function startRedis(options: RedisOptions): Promise<PrivateServer> {
  const { dir, tls, settings = [] } = options;
  const program = needProgram('redis-server', 'redis-server');
  const { ports, password } = await loadState(dir, tls ? ['redis', 'tls'] : ['redis']);
  const configFile = join(dir, 'redis.conf');
  const secured = tls ? [`tls-port ${ports['tls']}`, `tls-cert-file "${tls.certFile}"`, `tls-key-file "${tls.keyFile}"`, 'tls-auth-clients no'] : []; // prettier-ignore
  const text = configuration({ dir, port: ports.redis, password });
  await writeFile(configFile, [text, ...secured, ...settings, ''].join('\n'), { mode: 0o600 });

  return privateServer({
    name: 'redis',
    url: `redis://default:${password}@127.0.0.1:${ports.redis}`,
    ...(tls ? { tlsUrl: `rediss://default:${password}@localhost:${ports['tls']}` } : {}),
    dir,
    note: `private instance of ${program}, data in ${dir}`,
    launch: async () => [
      await startProcess({
        name: 'redis',
        program,
        args: [configFile],
        dir,
        ready: () => redisAnswers(ports.redis, password),
        ...(options.startTimeoutMs === undefined ? {} : { startTimeoutMs: options.startTimeoutMs }),
      }),
    ],
  });
}

function configuration({ dir, port, password }: { dir: string; port: number; password: string }): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir "${dir}"`,
    `requirepass ${password}`,
    'appendonly yes',
    'appendfsync everysec',
    // No snapshots beside it: a Redis that cannot write one refuses to end.
    'save ""',
    // A full Redis must refuse to count rather than forget a counter.
    'maxmemory-policy noeviction',
    // Plenty of logical databases: each test file gets an empty one of its own.
    'databases 1024',
    'daemonize no',
    '',
  ].join('\n');
}

/** One AUTH and PING over a bare socket: a Redis that still loads its data answers -LOADING and is not ready. */
export function redisAnswers(port: number, password: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let answer = '';
    socket.setTimeout(2_000, () => socket.destroy(new Error('no answer to PING')));
    socket.on('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (!answer.includes('PONG') && !answer.includes('-')) return;
      socket.destroy();
      if (answer.includes('+PONG')) resolve();
      else reject(new Error(`Redis answered ${answer.trim()}`));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('Redis closed the connection')));
  });
}
