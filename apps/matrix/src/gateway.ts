import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Login } from './clients/client';
import { startDaemon, type Daemon } from './daemon';
import { createRecorder, type Recorder, type Trace } from './recorder';
import { UPSTREAMS, type UpstreamName, type Upstreams } from './upstreams';

export const MODES = ['redirect', 'proxy', 'auto'] as const;
export type Mode = (typeof MODES)[number];

/** A gateway process of its own. */
export interface Gateway {
  /**
   * Where clients find it, a name for each upstream: a client takes what `/v2/` answers for all that is under one name,
   * and that comes from one upstream. What they ask there goes into the trace.
   */
  hosts: Readonly<Record<UpstreamName, string>>;
  /** SIGTERM: what waits to be counted is published first. @throws when it does not end in order */
  stop(): Promise<void>;
}

export interface GatewayOptions {
  dir: string;
  /** node's arguments, the gateway's main last. */
  args: readonly string[];
  mode: Mode;
  amqp: string;
  upstreams: Upstreams;
  trace: Trace;
}

/** Whose the private images' login is, as the gateway is told. */
export const ORGANIZATION = 'example.com';

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { dir, upstreams, trace } = options;
  await mkdir(dir, { recursive: true });
  let port = 0;
  const doors: Recorder[] = [];
  const closeDoors = () => Promise.all(doors.map((door) => door.close()));
  const hosts = {} as Record<UpstreamName, string>;
  for (const name of UPSTREAMS) {
    const door = await createRecorder('gateway', '127.0.0.1', () => port, trace);
    doors.push(door);
    hosts[name] = door.host;
  }
  const rulesFile = join(dir, 'rules.json');
  await writeFile(rulesFile, JSON.stringify(rulesOf(hosts, upstreams)));
  try {
    const daemon = await startProcess(options, rulesFile, (found) => void (port = found));
    return {
      hosts,
      async stop() {
        const code = await daemon.stop();
        await closeDoors();
        if (code !== 0) throw new Error(`the gateway ended with ${code ?? 'a signal'}, see ${daemon.logFile}`);
      },
    };
  } catch (error) {
    await closeDoors();
    throw error;
  }
}

function startProcess(
  { dir, args, mode, amqp }: GatewayOptions,
  rulesFile: string,
  listens: (port: number) => void,
): Promise<Daemon> {
  return startDaemon({
    name: 'gateway',
    program: process.execPath,
    args,
    dir,
    env: {
      GATEWAY_PORT: '0',
      GATEWAY_MODE: mode,
      RULES_FILE: rulesFile,
      AMQP_URL: amqp,
      SPOOL_DIR: join(dir, 'spool'),
    },
    ready: async (logFile) => {
      const line = (await readFile(logFile, 'utf8')).split('\n').find((text) => text.includes('"gateway listens"'));
      if (line === undefined) throw new Error('it has not said that it listens');
      listens((JSON.parse(line) as { port: number }).port);
    },
  });
}

function rulesOf(hosts: Gateway['hosts'], { addresses, login }: Upstreams): object {
  return {
    upstreams: addresses,
    rules: UPSTREAMS.map((name) => ({ host: hosts[name], upstream: name })),
    organizations: { [hashOf(login)]: ORGANIZATION },
  };
}

function hashOf({ user, password }: Login): string {
  return createHash('sha256').update(`${user}:${password}`).digest('hex');
}
