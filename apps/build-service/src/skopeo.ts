import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalPlatform } from './platform';
import { formatImage } from './reference';
import { isInsecure, type InsecureRegistries } from './registries';
import { imageOf, type MirrorRequest } from './request';
import { JobFailure, type Runner } from './jobs';
import type { Tools, ToolOptions } from './tools';
import { placesIn } from './workspace';

/** One manifest, and what can be read from it. */
interface Manifest {
  /** Of an index or manifest list; undefined for an image. */
  children?: Descriptor[];
  /** Configuration and layers of an image. */
  blobs: Descriptor[];
  raw: Buffer;
}

interface Descriptor {
  digest: string;
  size: number;
  platform?: string;
}

export interface Skopeo extends Runner {
  /** Bytes of all distinct configurations and layers of an image, or of all images of an index, in its registry. */
  sizeOf(image: string, options: ToolOptions): Promise<number>;
}

const MANIFEST_BYTES = 4 * 1024 * 1024; // registries take no larger ones (distribution specification, "Pushing Manifests")
const CHILDREN = 256;
const LOOKUP_TIMEOUT_MS = 10_000;

/** Mirrors with `skopeo copy`: digests stay what they are. */
export function createSkopeo(tools: Tools, insecure: InsecureRegistries): Skopeo {
  const tls = (flag: string, image: string): string[] => (isInsecure(image, insecure) ? [`--${flag}=false`] : []);

  async function manifestOf(image: string, options: ToolOptions): Promise<Manifest> {
    const args = ['inspect', '--raw', ...tls('tls-verify', image), '--', `docker://${image}`];
    const exit = await tools.run('skopeo', args, { ...options, captureBytes: MANIFEST_BYTES });
    if (exit.code !== 0) throw new JobFailure(lastLine(exit.complaint));
    return readManifest(exit.stdout);
  }

  /** The platforms of an image: those of its index, or the one in its configuration. */
  async function platformsOf(image: string, manifest: Manifest, options: ToolOptions): Promise<string[]> {
    if (manifest.children) return known(manifest.children.map(({ platform }) => platform));
    const args = ['inspect', '--config', '--raw', ...tls('tls-verify', image), '--', `docker://${image}`];
    const exit = await tools.run('skopeo', args, { ...options, captureBytes: MANIFEST_BYTES });
    if (exit.code !== 0) return [];
    return known([platformOf(JSON.parse(exit.stdout.toString()) as RawPlatform)]);
  }

  async function copy(from: string, to: string, flags: string[], options: ToolOptions): Promise<void> {
    const args = ['copy', '--retry-times=2', '--preserve-digests', ...flags, '--', from, to];
    const exit = await tools.run('skopeo', args, options);
    if (exit.code !== 0) throw new JobFailure(lastLine(exit.complaint, options.dir));
  }

  /** Copies some platforms of an index: each image as it is, under an index that names only those. */
  async function copySome(request: MirrorRequest, index: Manifest, wanted: Descriptor[], options: ToolOptions) {
    const { image } = placesIn(options.dir);
    await mkdir(image);
    const from = imageOf(request.source);
    for (const { digest } of wanted) {
      const part = join(options.dir, 'part');
      const source = formatImage({ ...from, digest });
      await copy(`docker://${source}`, `dir:${part}`, tls('src-tls-verify', source), options);
      await rename(join(part, 'manifest.json'), join(part, `${digest.replace('sha256:', '')}.manifest.json`));
      for (const name of await readdir(part)) await rename(join(part, name), join(image, name));
      await rm(part, { recursive: true });
    }
    const full = JSON.parse(index.raw.toString()) as { manifests: { digest: string }[] };
    const keep = new Set(wanted.map(({ digest }) => digest));
    const part = { ...full, manifests: full.manifests.filter(({ digest }) => keep.has(digest)) };
    await writeFile(join(image, 'manifest.json'), JSON.stringify(part));
    await copy(`dir:${image}`, `docker://${request.target}`, ['--all', ...targetFlags(request, options)], options);
  }

  const targetFlags = ({ target }: MirrorRequest, { dir }: ToolOptions): string[] => [
    `--digestfile=${placesIn(dir).digest}`,
    ...tls('dest-tls-verify', target),
  ];

  async function sizeOf(image: string, options: ToolOptions): Promise<number> {
    const sizes = new Map<string, number>();
    const add = (manifest: Manifest): void => {
      for (const { digest, size } of manifest.blobs) sizes.set(digest, size);
    };
    const top = await manifestOf(image, options);
    add(top);
    for (const { digest } of top.children ?? [])
      add(await manifestOf(formatImage({ ...imageOf(image), digest }), options));
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  return {
    sizeOf,
    async platforms(request, dir) {
      const { source, platforms } = request as MirrorRequest;
      if (platforms) return platforms;
      const { temporary } = placesIn(dir);
      await mkdir(temporary, { recursive: true });
      const options = { jobId: 'lookup', dir, temporary, signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS) };
      // A source that cannot be read now is the job's failure, later and with its reason; not a reason to refuse it.
      return manifestOf(source, options).then((manifest) => platformsOf(source, manifest, options)).catch(() => []); // prettier-ignore
    },
    async run(job, dir, log, signal) {
      const request = job.request as MirrorRequest;
      const { source, target, platforms } = request;
      const { temporary, digest } = placesIn(dir);
      await mkdir(temporary, { recursive: true });
      const quiet = { jobId: job.id, dir, temporary, signal };
      const options = { ...quiet, onOutput: log.write };
      log.write(`--- copying ${source} to ${target}\n`);

      const manifest = await manifestOf(source, quiet);
      const wanted = platforms ? await choose(platforms, manifest, () => platformsOf(source, manifest, quiet)) : 'all';
      if (wanted === 'all') {
        const flags = ['--all', ...tls('src-tls-verify', source), ...targetFlags(request, quiet)];
        await copy(`docker://${source}`, `docker://${target}`, flags, options);
      } else await copySome(request, manifest, wanted, options);

      const pushed = (await readFile(digest, 'utf8')).trim();
      const bytes = await sizeOf(formatImage({ ...imageOf(target), digest: pushed }), quiet);
      return { digest: pushed, bytes };
    },
  };
}

/** Which images of an index are wanted; 'all' when that is every one, or when the source is a single image. */
async function choose(
  platforms: readonly string[],
  { children }: Manifest,
  own: () => Promise<string[]>,
): Promise<'all' | Descriptor[]> {
  const present = children ? known(children.map(({ platform }) => platform)) : await own();
  const missing = platforms.filter((platform) => !present.includes(platform));
  if (missing.length > 0)
    throw new JobFailure(`the source has no ${missing.join(', ')}; it has ${present.join(', ') || 'no platforms'}`);
  if (!children || children.every(({ platform }) => platform !== undefined && platforms.includes(platform)))
    return 'all';
  return children.filter(({ platform }) => platform !== undefined && platforms.includes(platform));
}

interface RawPlatform {
  os?: string;
  architecture?: string;
  variant?: string;
}

interface RawManifest {
  manifests?: { digest: string; size: number; platform?: RawPlatform }[];
  config?: { digest: string; size: number };
  layers?: { digest: string; size: number }[];
}

function readManifest(raw: Buffer): Manifest {
  const { manifests, config, layers = [] } = JSON.parse(raw.toString()) as RawManifest;
  if ((manifests?.length ?? 0) > CHILDREN) throw new JobFailure(`the index names more than ${CHILDREN} images`);
  const children = manifests?.map(({ digest, size, platform }) => {
    const canonical = platform && platformOf(platform);
    return { digest, size, ...(canonical && { platform: canonical }) };
  });
  return {
    raw,
    blobs: [...(config ? [config] : []), ...layers],
    ...(children && { children }),
  };
}

/** Attestations are listed as unknown/unknown (BuildKit, "attestation storage"): images of no platform. */
function platformOf({ os, architecture, variant }: RawPlatform): string | undefined {
  if (!os || !architecture || os === 'unknown' || architecture === 'unknown') return undefined;
  return canonicalPlatform([os, architecture, variant].filter(Boolean).join('/'));
}

function known(platforms: (string | undefined)[]): string[] {
  return [...new Set(platforms.filter((platform) => platform !== undefined))].sort();
}

/** Why a tool failed: its last line, without the decoration of its log format and without our paths. */
export function lastLine(complaint: string, dir?: string): string {
  const line = complaint.trim().split('\n').at(-1)?.trim() ?? '';
  const message = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replace(/\\(.)/g, '$1') ?? line;
  const plain = dir === undefined ? message : message.replaceAll(`${dir}/`, '');
  return plain.slice(0, 500) || 'it ended without saying why';
}
