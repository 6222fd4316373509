import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startRegistry } from '@weir/testing';
import type { Login } from './clients/client';
import { command } from './command';
import { createRecorder, type Recorder, type Trace, type Where } from './recorder';
import { startRedirector } from './redirector';
import { startTokenServer } from './token-server';

/** The registries behind the gateway. What a repository is called says which of them has it: `basic/…`. */
export const UPSTREAMS = ['open', 'basic', 'token', 'elsewhere'] as const;
export type UpstreamName = (typeof UPSTREAMS)[number];

export interface Upstreams {
  /** Where everything is pushed: all of them serve the same images. */
  pushTo: string;
  /** Who may pull what is private. */
  login: Login;
  /** What the gateway is told of each: where it reaches it, and where clients do. */
  addresses: Readonly<Record<UpstreamName, { url: string; publicUrl: string; redirects?: string[] }>>;
  stop(): Promise<void>;
}

/** Other hosts than the gateway's, to a client too: those compare names without ports. */
const UPSTREAM_HOST = '127.0.0.2';
const STORAGE_HOST = '127.0.0.3';

/**
 * Real registries: one that is open, and two in front of the same images behind a login. What clients ask of them by
 * themselves, having been sent there, goes into the trace.
 */
export async function startUpstreams(dir: string, trace: Trace): Promise<Upstreams> {
  const login = { user: 'reader', password: randomBytes(12).toString('hex') };
  const images = join(dir, 'images');
  const place = async (name: string): Promise<string> => {
    await mkdir(join(dir, name), { recursive: true });
    return join(dir, name);
  };
  const stops: (() => Promise<unknown>)[] = [];
  const stopAll = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  const registry = async (name: string, settings: readonly string[]): Promise<string> => {
    const started = await startRegistry({ dir: await place(name), images, settings });
    stops.push(() => started.stop());
    return started.url;
  };
  const recorder = async (where: Where, host: string, url: string): Promise<Recorder> => {
    const started = await createRecorder(where, host, () => Number(new URL(url).port), trace);
    stops.push(() => started.close());
    return started;
  };

  try {
    const open = await registry('open', ['compatibility:', '  schema1:', '    enabled: true']);
    const tokens = await startTokenServer(await place('tokens'), login);
    stops.push(() => tokens.close());
    const storage = await recorder('storage', STORAGE_HOST, open);
    const elsewhere = await startRedirector(`http://${storage.host}`, login);
    stops.push(() => elsewhere.close());
    const urls: Record<UpstreamName, string> = {
      open,
      basic: await registry('basic', await basicAuth(join(dir, 'htpasswd'), login)),
      token: await registry('token', tokens.registrySettings),
      elsewhere: elsewhere.url,
    };
    const addresses = {} as Record<UpstreamName, Upstreams['addresses'][UpstreamName]>;
    for (const name of UPSTREAMS) {
      const own = await recorder('upstream', UPSTREAM_HOST, urls[name]);
      addresses[name] = { url: urls[name], publicUrl: `http://${own.host}` };
    }
    addresses.elsewhere.redirects = [storage.host]; // a private address, which is followed to only where it is named
    return { pushTo: open, login, addresses, stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** The registry takes bcrypt only, which crypt(3) of Debian knows; perl is on every Debian, and calls it. */
async function basicAuth(file: string, { user, password }: Login): Promise<string[]> {
  const salt = randomBytes(22).toString('base64').replaceAll(/[^A-Za-z0-9]/g, 'x').slice(0, 22); // prettier-ignore
  const hash = await command('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, `$2b$05$${salt}`]);
  if (!hash.startsWith('$2b$')) throw new Error('crypt(3) of this machine knows no bcrypt, which the registry wants.');
  await writeFile(file, `${user}:${hash}\n`, { mode: 0o600 });
  return ['auth:', '  htpasswd:', '    realm: private', `    path: "${file}"`];
}
