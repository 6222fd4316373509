import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { createAuthority, type Authority, type Certificate } from './certificates';

/** For tests of clients: an authority that they are told to trust, and servers that they must not talk to. */
export interface TlsBench {
  /** NODE_EXTRA_CA_CERTS of the client. */
  caFile: string;
  /** A good certificate for `localhost`, for a real server. */
  certificate: Certificate;
  /** Ports on `localhost` where nobody good listens, by what is wrong there. */
  wrong: Readonly<Record<TlsFault, number>>;
  close(): Promise<void>;
}

export const TLS_FAULTS = ['unknown authority', 'expired', 'other host', 'no TLS'] as const;
export type TlsFault = (typeof TLS_FAULTS)[number];

/** What a client is to say of each. */
export const TLS_COMPLAINTS: Readonly<Record<TlsFault, RegExp>> = {
  'unknown authority': /signed by nobody whom this process trusts: .* NODE_EXTRA_CA_CERTS/,
  expired: /certificate has expired: renew it/,
  'other host': /certificate is for another host: use a host name in the URL that the certificate has/,
  'no TLS': /does not speak TLS on this port/,
};

export async function createTlsBench(dir: string): Promise<TlsBench> {
  const ours = await createAuthority(dir, 'trusted');
  const theirs = await createAuthority(dir, 'untrusted');
  const local = { names: ['localhost', '127.0.0.1'] };
  const issue = (authority: Authority, expired = false) => authority.issue({ ...local, expired });
  const open = new Set<Socket>();
  const keep = (socket: Socket) => void open.add(socket.on('error', () => {}));
  const behind = async ({ certFile, keyFile }: Certificate): Promise<Server> =>
    createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, keep).on('tlsClientError', () => {});
  const servers: Record<TlsFault, Server> = {
    'unknown authority': await behind(await issue(theirs)),
    expired: await behind(await issue(ours, true)),
    'other host': await behind(await ours.issue({ names: ['other.example'] })),
    'no TLS': createServer((socket) => {
      keep(socket);
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    }),
  };
  const wrong = {} as Record<TlsFault, number>;
  for (const fault of TLS_FAULTS) {
    servers[fault].listen(0, '127.0.0.1');
    await once(servers[fault], 'listening');
    wrong[fault] = (servers[fault].address() as AddressInfo).port;
  }
  return {
    caFile: ours.certFile,
    certificate: await issue(ours),
    wrong,
    async close() {
      for (const socket of open) socket.destroy();
      for (const server of Object.values(servers)) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Runs a program in a process of its own, from source, in the folder of the test: the authorities that a process trusts
 * are settled when it begins. Resolves with what the program gives to `answer`, which is its only global.
 */
export async function runSource(program: string, cwd: string, env: Readonly<Record<string, string>>): Promise<unknown> {
  const source = join(__dirname, 'source.js');
  const whole = `const answer = (value) => { process.stdout.write(JSON.stringify(value) + '\\n', () => process.exit(0)); };\n${program}`;
  const args = ['--conditions=@weir/source', '--require', source, '--eval', whole];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    timeout: 60_000,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
