import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needProgram } from '@weir/testing';
import { benchImages } from './images';

const run = promisify(execFile);

/** As many as `wrk` holds open. */
export const CONNECTIONS = 32;
const CLIENTS = 1_000;

/** What is asked for: layers, or manifests, nine of ten by digest as docker and containerd ask after their HEAD. */
export type Kind = 'blob' | 'manifest';

export interface Load {
  requests: number;
  perSecond: number;
}

/**
 * As much as a server takes, from `wrk`: a thousand images asked for by a thousand clients in turn, each with an address
 * of its own in `X-Forwarded-For` and the user agent of a docker daemon, over connections that are kept. Requests are
 * numbered over all loads, so that no client asks for an image twice within seconds, which would be one pull.
 */
export async function createLoad(dir: string): Promise<{
  of(url: string, kind: Kind, options: { seconds: number; connections?: number }): Promise<Load>;
}> {
  const wrk = needProgram('wrk', 'wrk');
  const scripts = { blob: join(dir, 'blob.lua'), manifest: join(dir, 'manifest.lua') };
  const images = benchImages();
  const blobs = images.map(({ repository, layer }) => `/v2/${repository}/blobs/${layer}`);
  const manifests = images.map(
    ({ repository, digest }, n) => `/v2/${repository}/manifests/${n % 10 === 0 ? 'latest' : digest}`,
  );
  await writeFile(scripts.blob, scriptOf(blobs));
  await writeFile(scripts.manifest, scriptOf(manifests));
  let next = 0;

  return {
    async of(url, kind, { seconds, connections = CONNECTIONS }) {
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', scripts[kind], url];
      const begun = (next += 1_000_003);
      const { stdout } = await run(wrk, [...args, '--', String(begun)]);
      const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
      const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
      const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(stdout);
      if (failed !== null) throw new Error(`${url} did not answer all that wrk asked: ${failed[0]}`);
      next += requests;
      return { requests, perSecond };
    },
  };
}

/** Every request is another pair of image and client until all pairs were there. */
function scriptOf(paths: readonly string[]): string {
  const accept = [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ].join(', ');
  return `local paths = { ${paths.map((path) => `"${path}"`).join(',\n')} }
local clients = {}
for n = 0, ${CLIENTS - 1} do
  clients[n] = " HTTP/1.1\\r\\nHost: images.example.com\\r\\nUser-Agent: docker/27." .. n % 5 ..
    ".1 go/go1.21.11 git-commit/662f78c kernel/6.8.0 os/linux arch/amd64 UpstreamClient(Docker-Client/27." .. n % 5 ..
    ".1)\\r\\nX-Forwarded-For: 203.0." .. math.floor(n / 250) .. "." .. n % 250 ..
    "\\r\\nAccept: ${accept}\\r\\nAccept-Encoding: gzip\\r\\n\\r\\n"
end
local next = 0
function init(args) next = tonumber(args[1]) end
function request()
  next = next + 1
  return "GET " .. paths[next % #paths + 1] .. clients[(7 * next + math.floor(next / #paths)) % ${CLIENTS}]
end
`;
}
