import { mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JobFailure, type Runner } from './jobs';
import { formatImage } from './reference';
import { isInsecure, type InsecureRegistries } from './registries';
import { invalid } from './refusal';
import { imageOf, type BuildRequest } from './request';
import { lastLine, type Skopeo } from './skopeo';
import type { Tools } from './tools';
import { placesIn } from './workspace';

export interface BuildahSettings {
  /** How RUN instructions are isolated, buildah-build(1) `--isolation`. */
  isolation: string;
  /** containers-storage.conf(5) `driver`. */
  storageDriver: string;
  insecure: InsecureRegistries;
}

/** The name of what is built, in the job's own storage. */
const LOCAL = 'localhost/weir-build:latest';

/**
 * Builds with buildah and pushes. Each job has a storage of its own, which goes with it: nothing one build leaves
 * behind can reach another, and the disk stays bounded.
 */
export function createBuildah(tools: Tools, skopeo: Skopeo, settings: BuildahSettings): Runner {
  return {
    platforms: (request) => Promise.resolve((request as BuildRequest).platforms),
    async run(job, dir, log, signal) {
      const request = job.request as BuildRequest;
      const places = placesIn(dir);
      for (const place of [places.temporary, places.context]) await mkdir(place, { recursive: true, mode: 0o700 });
      const quiet = { jobId: job.id, dir, temporary: places.temporary, signal };
      const buildah = async (args: string[], about: string): Promise<void> => {
        log.write(`--- ${about}\n`);
        const storage = ['--root', places.storage, '--runroot', places.run, '--storage-driver', settings.storageDriver];
        const exit = await tools.run('buildah', [...storage, ...args], { ...quiet, onOutput: log.write });
        if (exit.code !== 0) throw new JobFailure(lastLine(exit.complaint, dir));
      };

      await buildah(
        buildArguments(request, await dockerfileOf(request, dir), places.context, settings),
        `building ${request.image} for ${request.platforms.join(', ')}`,
      );
      await buildah(pushArguments(request, places.digest, settings), `pushing ${request.image}`);

      // buildah 1.28 may give up in the middle of pushing a list and still end with code 0; then there is no digest.
      const digest = (await readFile(places.digest, 'utf8').catch(() => '')).trim();
      if (digest === '') throw new JobFailure('the push was not completed');
      if ((await tools.available('skopeo')) !== true) return { digest };
      const bytes = await skopeo.sizeOf(formatImage({ ...imageOf(request.image), digest }), quiet);
      return { digest, bytes };
    },
  };
}

function buildArguments(
  { platforms, arguments: values }: BuildRequest,
  dockerfile: string,
  context: string,
  { isolation }: BuildahSettings,
): string[] {
  return [
    'build',
    `--isolation=${isolation}`,
    '--no-cache',
    `--platform=${platforms.join(',')}`,
    platforms.length > 1 ? `--manifest=${LOCAL}` : `--tag=${LOCAL}`,
    ...values.map(([name, value]) => `--build-arg=${name}=${value}`),
    `--file=${dockerfile}`,
    '--',
    context,
  ];
}

function pushArguments({ platforms, image }: BuildRequest, digestFile: string, settings: BuildahSettings): string[] {
  const tls = isInsecure(image, settings.insecure) ? ['--tls-verify=false'] : [];
  const command = platforms.length > 1 ? ['manifest', 'push', '--all'] : ['push'];
  return [...command, `--digestfile=${digestFile}`, ...tls, '--', LOCAL, `docker://${image}`];
}

/**
 * The Dockerfile to build: text is written beside the context, a path must lead to a file inside it.
 *
 * @throws Refusal naming the field.
 */
export async function dockerfileOf({ dockerfile }: BuildRequest, dir: string): Promise<string> {
  const places = placesIn(dir);
  if (dockerfile && 'text' in dockerfile) {
    await writeFile(places.dockerfile, dockerfile.text, { mode: 0o600 });
    return places.dockerfile;
  }
  for (const name of dockerfile ? [dockerfile.path] : ['Dockerfile', 'Containerfile']) {
    const path = await realpath(join(places.context, name)).catch(() => undefined);
    const inside = path?.startsWith(`${await realpath(places.context)}/`);
    if (path && inside && (await stat(path)).isFile()) return path;
  }
  throw dockerfile
    ? invalid('dockerfile', `names ${JSON.stringify(dockerfile.path)}, which is no file in the context`)
    : invalid('dockerfile', 'is missing, and the context has neither Dockerfile nor Containerfile at its top');
}
