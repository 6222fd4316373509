import { join } from 'node:path';
import { command } from '../command';
import { nameOf } from '../images';
import { credentials, ownConfiguration, versionIn } from './containers-image';
import type { Client } from './client';

/** skopeo copies into an OCI layout for each repository: layers that are there already are not fetched again. */
export async function startSkopeo(dir: string): Promise<Client> {
  const { env, policy } = await ownConfiguration(dir);
  return {
    name: 'skopeo',
    version: versionIn(await command('skopeo', ['--version'], { env })),
    async pull({ host, repository, reference, platforms, login }) {
      if (platforms !== 'own' && platforms !== 'all')
        throw new Error(`skopeo copies one platform or all, not ${platforms.map(nameOf).join(' and ')}`);
      const place = join(dir, repository.replaceAll('/', '_'));
      const args = ['--policy', policy, 'copy', '--quiet', '--src-tls-verify=false'];
      if (platforms === 'all') args.push('--all');
      args.push(
        ...credentials('--src-creds', login),
        `docker://${host}/${repository}${reference}`,
        `oci:${place}:pulled`,
      );
      await command('skopeo', args, { env });
    },
    stop: async () => {},
  };
}
