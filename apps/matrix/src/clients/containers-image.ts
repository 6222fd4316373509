import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../command';
import { nameOf } from '../images';
import type { Client, ClientName, Login, Pull } from './client';

/** What podman and buildah are told alike: a store and a configuration of their own under `dir`, and no TLS. */
export async function storageClient(
  name: Extract<ClientName, 'podman' | 'buildah'>,
  dir: string,
  own: { global: readonly string[]; pull: readonly string[] },
): Promise<Client> {
  const { env, policy } = await ownConfiguration(dir);
  const store = ['--root', join(dir, 'store'), '--runroot', join(dir, 'run'), '--storage-driver', 'vfs', ...own.global];
  const always = ['pull', '--quiet', '--tls-verify=false', '--signature-policy', policy, ...own.pull];
  const pullOne = async (pull: Pull, platform: readonly string[]): Promise<void> => {
    const source = `docker://${pull.host}/${pull.repository}${pull.reference}`;
    const args = [...store, ...always, ...credentials('--creds', pull.login), ...platform, source];
    await command(name, args, { env });
  };

  return {
    name,
    version: versionIn(await command(name, ['--version'], { env })),
    async pull(pull) {
      const each = typeof pull.platforms === 'string' ? [[]] : pull.platforms.map((one) => ['--platform', nameOf(one)]);
      for (const platform of each) await pullOne(pull, platform);
    },
    stop: async () => {},
  };
}

/** What the machine says in /etc/containers is not read: no mirrors, no policy, no registries that it blocks. */
export async function ownConfiguration(dir: string): Promise<{ env: Record<string, string>; policy: string }> {
  const [policy, empty] = [join(dir, 'policy.json'), join(dir, 'empty.conf')];
  await mkdir(dir, { recursive: true });
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}\n');
  await writeFile(empty, '');
  const env = { HOME: dir, TMPDIR: dir, XDG_RUNTIME_DIR: dir };
  return { policy, env: { ...env, CONTAINERS_CONF: empty, CONTAINERS_REGISTRIES_CONF: empty } };
}

export function credentials(flag: string, login: Login | undefined): string[] {
  return login === undefined ? [] : [`${flag}=${login.user}:${login.password}`];
}

/** The first number of what a program says of itself: `podman version 4.3.1`. */
export function versionIn(text: string): string {
  return /\d+\.\d+(\.\d+)?[\w.+~-]*/.exec(text)?.[0] ?? 'unknown';
}
