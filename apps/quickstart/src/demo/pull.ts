import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageManifestTypes, indexTypes, mediaTypeOf } from '@weir/registry';

/** Who pulls: the user agent of a real client, and whom it logs in as. */
export interface Puller {
  /** As the client sends it; the demo adds a comment that says what it is. */
  userAgent: string;
  /** `user:password`; none = anonymous. */
  login?: string;
  /** The platform that it takes out of an index. */
  platform: string;
}

export interface Pulled {
  repository: string;
  /** Digest of the image's manifest. */
  digest: string;
  bytes: number;
}

const MARK = 'weir-demo';

/**
 * Pulls an image as a client does: `/v2/`, the manifest by tag, the platform's manifest by digest where that was an
 * index, its configuration and layers; redirects are followed. Nothing is kept.
 */
export async function pull(
  gateway: string,
  image: { repository: string; tag: string },
  who: Puller,
  signal: AbortSignal,
): Promise<Pulled> {
  const headers: Record<string, string> = { 'user-agent': `${who.userAgent} (${MARK})` };
  if (who.login) headers['authorization'] = `Basic ${Buffer.from(who.login).toString('base64')}`;
  const base = `${gateway}/v2/${image.repository}`;
  const get = async (url: string, accept: readonly string[] = ['*/*']): Promise<Response> => {
    const response = await fetch(url, { headers: { ...headers, accept: accept.join(', ') }, signal });
    if (!response.ok) throw new Error(`GET ${url} was answered ${response.status}`);
    return response;
  };
  const manifestTypes = [...imageManifestTypes, ...indexTypes];

  await (await get(`${gateway}/v2/`)).arrayBuffer();
  let answer = await get(`${base}/manifests/${image.tag}`, manifestTypes);
  if (indexTypes.includes(mediaTypeOf(answer.headers.get('content-type') ?? undefined))) {
    const index = (await answer.json()) as Index;
    const child = index.manifests.find(({ platform }) => `${platform.os}/${platform.architecture}` === who.platform);
    if (!child) throw new Error(`${image.repository}:${image.tag} has no image for ${who.platform}`);
    answer = await get(`${base}/manifests/${child.digest}`, manifestTypes);
  }
  const digest = answer.headers.get('docker-content-digest') ?? '';
  const { config, layers } = (await answer.json()) as Manifest;
  let bytes = 0;
  for (const blob of [config, ...layers])
    bytes += (await (await get(`${base}/blobs/${blob.digest}`)).arrayBuffer()).byteLength;
  return { repository: image.repository, digest, bytes };
}

interface Index {
  manifests: { digest: string; platform: { os: string; architecture: string } }[];
}

interface Manifest {
  config: { digest: string };
  layers: { digest: string }[];
}

/** Asks whether a tag has changed, as a scheduled job does: a HEAD, which is a check and no pull. */
export async function check(
  gateway: string,
  image: { repository: string; tag: string },
  who: Puller,
  signal: AbortSignal,
): Promise<void> {
  const headers = {
    'user-agent': `${who.userAgent} (${MARK})`,
    accept: [...imageManifestTypes, ...indexTypes].join(', '),
  };
  await fetch(`${gateway}/v2/${image.repository}/manifests/${image.tag}`, { method: 'HEAD', headers, signal });
}

/** Pulls with the real skopeo; false when there is none on the PATH. */
export async function pullWithSkopeo(
  gateway: string,
  image: { repository: string; tag: string },
  signal: AbortSignal,
): Promise<boolean> {
  const place = await mkdtemp(join(tmpdir(), 'weir-demo-'));
  const source = `docker://${new URL(gateway).host}/${image.repository}:${image.tag}`;
  const args = ['copy', '--quiet', '--insecure-policy', '--src-tls-verify=false', source, `dir:${place}`];
  try {
    return await new Promise((resolve, reject) => {
      execFile('skopeo', args, { signal, timeout: 60_000 }, (error, _stdout, stderr) => {
        if (!error) resolve(true);
        else if (error.code === 'ENOENT') resolve(false);
        else reject(new Error(`skopeo: ${stderr.trim().slice(-300) || error.message}`));
      });
    });
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
