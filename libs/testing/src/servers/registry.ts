import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { needProgram, privateServer } from './private-server';
import { startProcess } from './process';
import type { PrivateServer, StartOptions } from './server';
import { loadState } from './state';

export interface RegistryOptions extends StartOptions {
  /** Where its images lie; those of another registry are served too, so that one can be pushed to and one be private. */
  images?: string;
  /** Further lines of its configuration (YAML), such as `auth:` and what belongs to it. */
  settings?: readonly string[];
}

/** Starts a private OCI registry (Debian's docker-registry, the CNCF Distribution), without login; deletes are allowed. */
export async function startRegistry(options: RegistryOptions): Promise<PrivateServer> {
  const { dir, images = join(dir, 'images'), settings = [] } = options;
  const program = needProgram('docker-registry', 'docker-registry');
  const { ports, password } = await loadState(dir, ['http']);
  const configFile = join(dir, 'registry.yml');
  await writeFile(configFile, configuration(images, ports.http, password, settings), { mode: 0o600 });
  const url = `http://127.0.0.1:${ports.http}`;

  return privateServer({
    name: 'registry',
    url,
    dir,
    note: `private instance of ${program}, images in ${images}`,
    launch: async () => [
      await startProcess({
        name: 'registry',
        program,
        args: ['serve', configFile],
        dir,
        ready: () => registryAnswers(url),
        ...(options.startTimeoutMs === undefined ? {} : { startTimeoutMs: options.startTimeoutMs }),
      }),
    ],
  });
}

export async function registryAnswers(url: string): Promise<void> {
  const response = await fetch(`${url}/v2/`, { signal: AbortSignal.timeout(5_000) });
  if (!response.ok && response.status !== 401) throw new Error(`GET /v2/ was answered ${response.status}`);
}

function configuration(images: string, port: number, secret: string, settings: readonly string[]): string {
  return `version: 0.1
log:
  level: info
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: "${images}"
  delete:
    enabled: true
http:
  addr: 127.0.0.1:${port}
  secret: "${secret}"
${settings.join('\n')}
`;
}
