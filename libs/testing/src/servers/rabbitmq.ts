import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { findProgram, needProgram, privateServer } from './private-server';
import { startProcess } from './process';
import { ServerError } from './server';
import type { PrivateServer, StartOptions } from './server';
import { loadState } from './state';
import type { State } from './state';

type Ports = 'amqp' | 'amqps' | 'distribution' | 'epmd';

export interface RabbitmqOptions extends StartOptions {
  /** Further lines of rabbitmq.conf. */
  settings?: readonly string[];
}

/** A private RabbitMQ; beyond the life cycle it can be administered, which over AMQP alone it cannot. */
export interface PrivateRabbitmq extends PrivateServer {
  /**
   * Evaluates Erlang expressions inside the broker and gives the printed result of the last one, e.g.
   * `rabbit_vhost:list_names().` It takes some 10 ms, where rabbitmqctl takes more than a second.
   */
  evaluate(expressions: string): Promise<string>;
  /** Makes an empty virtual host that the server's user owns, and gives its URL. */
  addVhost(name: string): Promise<string>;
  deleteVhost(name: string): Promise<void>;
}

/** What a node of a cluster has otherwise than one that is alone. */
export interface NodeShape {
  /** The node's name, before `@localhost`. */
  name: string;
  /** The same for all nodes. */
  cookie: string;
  user: string;
  password: string;
  /** Where the node finds a name service of its own; otherwise an epmd is started for it. */
  epmdPort: number;
  /** Further arguments for `erl`. */
  arguments: string;
}

/**
 * Starts a private RabbitMQ: a node name, a cookie and an epmd of its own, all three ports on loopback, no plug-in.
 * Debian's /usr/sbin/rabbitmq-server switches to the user `rabbitmq`, so the script behind it is called.
 */
export async function startRabbitmq(options: RabbitmqOptions, shape?: NodeShape): Promise<PrivateRabbitmq> {
  const { dir, tls, settings = [] } = options;
  const name = `${shape?.name ?? 'weir'}@localhost`;
  const packaged = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  const program = existsSync(packaged) ? packaged : needProgram('rabbitmq-server', 'rabbitmq-server');
  const epmd = needProgram('epmd', 'rabbitmq-server');
  const own = await loadState<Ports>(dir, [...(tls ? ['amqps' as const] : []), 'amqp', 'distribution', 'epmd']);
  const state = shape ? { ...shape, ports: { ...own.ports, epmd: shape.epmdPort } } : own;
  const { ports, user, password } = state;
  const secured = tls ? [`listeners.ssl.1 = 127.0.0.1:${ports.amqps}`, `ssl_options.certfile = ${tls.certFile}`, `ssl_options.keyfile = ${tls.keyFile}`] : []; // prettier-ignore
  await writeFiles(dir, state, [...secured, ...settings], shape?.cookie);
  const url = `amqp://${user}:${password}@127.0.0.1:${ports.amqp}`;
  const env = environment(dir, name, ports, shape?.arguments);

  const server = await privateServer({
    name: 'rabbitmq',
    url,
    ...(tls ? { tlsUrl: `amqps://${user}:${password}@localhost:${ports.amqps}` } : {}),
    dir,
    note: `private instance of ${program}, data in ${dir}`,
    launch: async () => {
      const mapper = shape
        ? []
        : [
            await startProcess({
              name: 'epmd',
              program: epmd,
              args: ['-address', '127.0.0.1', '-port', String(ports.epmd)],
              dir,
              ready: () => canConnect(ports.epmd),
            }),
          ];
      try {
        const broker = await startProcess({
          name: 'rabbitmq',
          program,
          args: [],
          dir,
          env,
          ready: () => rabbitmqAnswers(url),
          stopTimeoutMs: 20_000,
          ...(options.startTimeoutMs === undefined ? {} : { startTimeoutMs: options.startTimeoutMs }),
        });
        return [...mapper, broker];
      } catch (error) {
        await mapper[0]?.kill();
        throw error;
      }
    },
  });

  // One call at a time: the broker turns away the second of two that introduce themselves at once.
  let last: Promise<unknown> = Promise.resolve();
  const evaluate = (expressions: string, timeoutSeconds = 30): Promise<string> => {
    const call = last.then(() => callNode(expressions, name, env, timeoutSeconds));
    last = call.catch(() => {});
    return call;
  };
  const crash = server.kill;
  return Object.assign(server, {
    evaluate,
    // 3.10 writes down which quorum queues there are up to half a second after it has confirmed their declaration
    // (ra_directory, auto_save). A crash in that window loses the queue, and a test would rarely mean to ask for that.
    kill: async () => {
      await evaluate('[dets:sync(Table) || Table <- dets:all()].', 3).catch(() => {});
      await crash();
    },
    addVhost: async (name: string) => {
      await evaluate(
        `ok = rabbit_vhost:add(<<"${erlangText(name)}">>, <<"${user}">>),
         ok = rabbit_auth_backend_internal:set_permissions(<<"${user}">>, <<"${erlangText(name)}">>, <<".*">>, <<".*">>, <<".*">>, <<"${user}">>).`,
      );
      return `${url}/${encodeURIComponent(name)}`;
    },
    deleteVhost: async (name: string) => {
      await evaluate(`ok = rabbit_vhost:delete(<<"${erlangText(name)}">>, <<"${user}">>).`);
    },
  });
}

async function writeFiles(
  dir: string,
  state: State<Ports>,
  settings: readonly string[],
  cookie?: string,
): Promise<void> {
  const { ports, user, password } = state;
  await mkdir(join(dir, 'data'), { recursive: true });
  await writeFile(join(dir, 'plugins'), '[].\n');
  await writeFile(
    join(dir, 'rabbitmq.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
      `default_user = ${user}`,
      `default_pass = ${password}`,
      'log.file = false',
      'log.console = true',
      'log.console.level = info',
      'vm_memory_high_watermark.relative = 0.4',
      // Below this the broker blocks publishers: enough for its own logs and Raft segments to go on.
      'disk_free_limit.absolute = 256MB',
      // Raft's write-ahead log is written in pieces of up to this; the default of 512 MiB is made for big disks.
      'raft.wal_max_size_bytes = 67108864',
      ...settings,
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  const cookieFile = join(dir, '.erlang.cookie');
  const secret = cookie ?? randomBytes(20).toString('hex').toUpperCase();
  if (!existsSync(cookieFile)) await writeFile(cookieFile, secret, { mode: 0o400 });
}

function environment(dir: string, name: string, ports: Record<Ports, number>, more = ''): Record<string, string> {
  return {
    HOME: dir,
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: name,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    // Without it the settings of a RabbitMQ that the distribution has set up would be read as well.
    RABBITMQ_CONF_ENV_FILE: join(dir, 'no-such-file'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'no-such-file.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: dir,
    RABBITMQ_LOGS: '-',
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'generated'),
    // The script then becomes the broker (exec) instead of staying in front of it as a shell.
    RUNNING_UNDER_SYSTEMD: 'true',
    // +sbwt none: schedulers that have nothing to do sleep, for this machine has other work.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1} ${more}`,
    ERL_CRASH_DUMP: join(dir, 'erl_crash.dump'),
    ERL_CRASH_DUMP_SECONDS: '0',
  };
}

/** Ready means: our user can open a channel, which a broker that still boots or recovers does not allow. */
export async function rabbitmqAnswers(url: string): Promise<void> {
  const connection = await connect(url, { timeout: 5_000 });
  connection.on('error', () => {});
  await connection.createChannel();
  await connection.close();
}

function canConnect(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1' }, () => socket.end(() => resolve()));
    socket.once('error', reject);
  });
}

/** erl_call prints `{ok, Result}` or `{error, Reason}` and exits 0 either way. */
function callNode(
  expressions: string,
  name: string,
  env: Record<string, string>,
  timeoutSeconds: number,
): Promise<string> {
  const program = findProgram('erl_call');
  if (program === undefined) throw new ServerError('erl_call is not installed; it comes with erlang-base.');
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      ['-sname', name, '-timeout', String(timeoutSeconds), '-fetch_stdout', '-e'],
      { env: { ...env, PATH: process.env['PATH'] }, timeout: (timeoutSeconds + 2) * 1000, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        const result = stdout.trim();
        if (!error && result.startsWith('{ok,')) resolve(result.slice(4, -1).trim());
        else reject(new ServerError(`RabbitMQ refused "${expressions.trim()}": ${result || stderr || error?.message}`));
      },
    );
    child.stdin?.on('error', () => {}); // it ends without reading where the node does not answer
    child.stdin?.end(`${expressions}\n`);
  });
}

/** A name that can stand within Erlang text as it is. @throws for any other */
export function erlangText(text: string): string {
  if (!/^[\w.:-]{1,200}$/.test(text)) throw new ServerError(`"${text}" is not a usable name: letters, digits, . : _ -`);
  return text;
}
