import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageManifestTypes, indexTypes, mediaTypeOf } from '@weir/registry';
import { fetch, type Response } from 'undici';
import { signatureTag } from './images';
import type { Machine } from './machines';

export interface Image {
  repository: string;
  tag: string;
}

export interface PullOptions {
  machine: Machine;
  /** `user:password`; none = anonymous. */
  login?: string | undefined;
  /** The machine has the layers from an earlier pull: it asks for no blob. */
  hasLayers?: boolean;
}

const MARK = 'weir-demo';
const MANIFESTS = [...imageManifestTypes, ...indexTypes].join(', ');

/**
 * Pulls an image as a client does: `/v2/`, HEAD of the tag, the manifest by tag, the platform's manifest by digest where
 * that was an index, its configuration and layers; redirects are followed. Nothing is kept.
 */
export async function pull(
  gateway: string,
  { repository, tag }: Image,
  { machine, login, hasLayers = false }: PullOptions,
  signal: AbortSignal,
): Promise<void> {
  const ask = asker(machine, login, signal);
  const base = `${gateway}/v2/${repository}`;
  await (await ask('GET', `${gateway}/v2/`)).arrayBuffer();
  await ask('HEAD', `${base}/manifests/${tag}`, MANIFESTS);
  let answer = await ask('GET', `${base}/manifests/${tag}`, MANIFESTS);
  if (indexTypes.includes(mediaTypeOf(answer.headers.get('content-type') ?? undefined))) {
    const index = (await answer.json()) as Index;
    const child = index.manifests.find(
      ({ platform }) => `${platform.os}/${platform.architecture}` === machine.platform,
    );
    if (!child) throw new Error(`${repository}:${tag} has no image for ${machine.platform}`);
    answer = await ask('GET', `${base}/manifests/${child.digest}`, MANIFESTS);
  }
  const { config, layers } = (await answer.json()) as Manifest;
  if (hasLayers) return;
  for (const blob of [config, ...layers]) await (await ask('GET', `${base}/blobs/${blob.digest}`)).arrayBuffer();
}

/** Asks whether a tag has changed, as a scheduled job does: a HEAD alone, which is a check and no pull. */
export async function check(
  gateway: string,
  { repository, tag }: Image,
  machine: Machine,
  signal: AbortSignal,
): Promise<void> {
  await asker(machine, undefined, signal)('HEAD', `${gateway}/v2/${repository}/manifests/${tag}`, MANIFESTS);
}

/** Fetches the signature of an image as cosign does: the digest of the tag, and then the tag that is made up from it. */
export async function verify(
  gateway: string,
  { repository, tag }: Image,
  machine: Machine,
  signal: AbortSignal,
): Promise<void> {
  const ask = asker(machine, undefined, signal);
  const manifests = `${gateway}/v2/${repository}/manifests`;
  const image = await ask('HEAD', `${manifests}/${tag}`, MANIFESTS);
  const signature = signatureTag(image.headers.get('docker-content-digest') ?? '');
  await (await ask('GET', `${manifests}/${signature}`, MANIFESTS)).arrayBuffer();
}

function asker({ userAgent, dispatcher }: Machine, login: string | undefined, signal: AbortSignal) {
  const headers: Record<string, string> = { 'user-agent': `${userAgent} (${MARK})` };
  if (login !== undefined) headers['authorization'] = `Basic ${Buffer.from(login).toString('base64')}`;
  return async (method: 'GET' | 'HEAD', url: string, accept = '*/*'): Promise<Response> => {
    const response = await fetch(url, { method, headers: { ...headers, accept }, signal, dispatcher });
    if (!response.ok) throw new Error(`${method} ${url} was answered ${response.status}`);
    return response;
  };
}

interface Index {
  manifests: { digest: string; platform: { os: string; architecture: string } }[];
}

interface Manifest {
  config: { digest: string };
  layers: { digest: string }[];
}

/** Pulls with the real skopeo; false when there is none on the PATH. */
export async function pullWithSkopeo(gateway: string, image: Image, signal: AbortSignal): Promise<boolean> {
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
