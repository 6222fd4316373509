import { command } from './command';
import type { Content } from './images';
import { push } from './push';

/**
 * Pushes an image in the old schema 1, which is signed: skopeo makes it of one in the schema 2. @throws without skopeo
 */
export async function pushAsSchema1(
  registry: string,
  repository: string,
  tag: string,
  content: Content,
): Promise<void> {
  await push(registry, `${repository}-source`, tag, content);
  const { host } = new URL(registry);
  const args = [
    'copy',
    '--quiet',
    '--insecure-policy',
    '--src-tls-verify=false',
    '--dest-tls-verify=false',
    '--format',
    'v2s1',
  ];
  await command('skopeo', [
    ...args,
    `docker://${host}/${repository}-source:${tag}`,
    `docker://${host}/${repository}:${tag}`,
  ]);
}
