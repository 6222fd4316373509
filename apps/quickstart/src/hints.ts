import { relative } from 'node:path';
import pc from 'picocolors';
import type { Endpoints } from './endpoints';
import type { Folder } from './folder';

/** The lines below the table: what to try first, and where the rest is. */
export function hintsOf(endpoints: Endpoints, folder: Folder, demo: boolean): string[] {
  const gateway = new URL(endpoints.gateway).host;
  const place = relative(process.cwd(), folder.root) || folder.root;
  return [
    `Keys      ingest ${endpoints.ingestKey}`,
    `          build-service ${endpoints.buildKey}`,
    `          stats ${endpoints.statsUser}:${endpoints.statsPassword}`,
    `Pull      skopeo copy --src-tls-verify=false docker://${gateway}/${demo ? 'demo/hello:1.0' : '<image>:<tag>'} dir:/tmp/image`,
    `Post      curl -H 'authorization: Bearer ${endpoints.ingestKey}' -H 'content-type: application/json' \\`,
    `            -d '{"type":"io.weir.pull","data":{"repository":"library/alpine"}}' ${endpoints.ingest}/events`,
    `Look      ${endpoints.stats}/ in a browser, signed in with the keys of stats; or here: npx weir stats`,
    pc.dim(`Addresses with credentials: ${place}/endpoints.json; logs: ${place}/logs; end: npm stop`),
  ];
}
