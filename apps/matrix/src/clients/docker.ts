import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../command';
import { startDaemon } from '../daemon';
import { nameOf } from '../images';
import type { Client, Login } from './client';

/** A docker daemon of our own: it makes no network and no container, and takes 127.0.0.0/8 without TLS by default. */
export async function startDocker(dir: string): Promise<Client> {
  const folder = join(dir, 'client');
  await mkdir(folder, { recursive: true });
  const configFile = join(dir, 'daemon.json');
  await writeFile(configFile, '{}\n');
  const socket = `unix://${join(dir, 'docker.sock')}`;
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: folder, HOME: dir };
  const docker = (...args: string[]) => command(existsSync(DEBIANS) ? DEBIANS : 'docker', args, { env });
  const daemon = await startDaemon({
    name: 'dockerd',
    args: [
      '--config-file', configFile, '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'),
      '--pidfile', join(dir, 'docker.pid'), '--host', socket, '--storage-driver', 'vfs',
      '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false', '--bridge=none',
      '--log-level', 'warn',
    ],
    dir,
    ready: () => docker('version'),
  }); // prettier-ignore

  return {
    name: 'docker',
    version: (await docker('version', '--format', '{{.Server.Version}}')).trim(),
    async pull({ host, repository, reference, platforms, login }) {
      await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: login ? { [host]: authOf(login) } : {} }));
      const source = `${host}/${repository}${reference}`;
      const each = typeof platforms === 'string' ? [[]] : platforms.map((one) => ['--platform', nameOf(one)]);
      for (const platform of each) await docker('pull', '--quiet', ...platform, source);
    },
    stop: () => daemon.stop(),
  };
}

/** Beside the daemon; another `docker` may come first on the PATH. */
const DEBIANS = '/usr/bin/docker';

/** As `docker login` writes it. */
function authOf({ user, password }: Login): { auth: string } {
  return { auth: Buffer.from(`${user}:${password}`).toString('base64') };
}
