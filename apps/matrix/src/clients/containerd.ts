import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../command';
import { startDaemon } from '../daemon';
import { credentials, versionIn } from './containers-image';
import type { Client, Pull } from './client';

/** A containerd of our own and its `ctr`; plug-ins that need more of the machine than a pull does are left out. */
export async function startContainerd(dir: string): Promise<Client> {
  await mkdir(dir, { recursive: true });
  const socket = join(dir, 'containerd.sock');
  const configFile = join(dir, 'config.toml');
  await writeFile(configFile, `version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n`);
  const ctr = (...args: string[]) => command('ctr', ['--address', socket, ...args]);
  const daemon = await startDaemon({
    name: 'containerd',
    args: [
      '--config', configFile, '--root', join(dir, 'root'), '--state', join(dir, 'state'), '--address', socket,
      '--log-level', 'warn',
    ],
    dir,
    ready: () => ctr('version'),
  }); // prettier-ignore

  return {
    name: 'containerd',
    version: versionIn(await command('containerd', ['--version']).then((said) => said.split(' ')[2] ?? said)),
    async pull(pull) {
      const source = `${pull.host}/${pull.repository}${pull.reference}`;
      await ctr(...subcommand(pull), '--plain-http', ...credentials('--user', pull.login), source);
    },
    stop: () => daemon.stop(),
  };
}

/** `images pull` unpacks what it fetches, which only images for this machine can bear; `content fetch` does not. */
function subcommand({ platforms, artifact }: Pull): string[] {
  if (artifact) return ['content', 'fetch'];
  if (platforms === 'all') return ['content', 'fetch', '--all-platforms'];
  return ['images', 'pull', '--snapshotter', 'native'];
}
