import { relative } from 'node:path';
import type { AppPart } from './apps';
import type { Endpoints } from './endpoints';
import type { Folder } from './folder';
import type { RunningServer } from './parts';
import type { Secrets } from './secrets';
import type { Settings } from './settings';
import type { Row } from './table';
import { withoutCredentials } from './table';

/** Every address that works as it stands, and the credentials that were made. */
export function endpointsOf(
  servers: readonly RunningServer[],
  ports: ReadonlyMap<string, number>,
  secrets: Secrets,
  settings: Settings,
): Endpoints {
  const at = (variable: string): string => `http://${reachable(settings.HOST)}:${ports.get(variable)}`;
  return {
    gateway: at('GATEWAY_PORT'),
    ingest: at('INGEST_PORT'),
    buildService: at('BUILD_SERVICE_PORT'),
    stats: at('STATS_PORT'),
    ...Object.fromEntries(
      servers.flatMap(({ key, url, found }) => [
        [key, url],
        [`found.${key}`, found],
      ]),
    ),
    influxDatabase: settings.INFLUX_DATABASE,
    mongoDatabase: settings.MONGODB_DATABASE,
    ...(settings.GRAFANA_URL !== undefined && { grafana: settings.GRAFANA_URL }),
    ...secrets,
  } as Endpoints;
}

/** The table of addresses: Weir's own first. */
export function rowsOf(
  servers: readonly RunningServer[],
  apps: readonly AppPart[],
  ports: ReadonlyMap<string, number>,
  { settings, folder }: { settings: Settings; folder: Folder },
): Row[] {
  return [
    ...apps.flatMap(({ name, portVariable, about }) =>
      portVariable
        ? [
            {
              what: name,
              where: `http://${reachable(settings.HOST)}:${ports.get(portVariable)}`,
              found: 'started',
              why: about,
            },
          ]
        : [],
    ),
    ...(settings.GRAFANA_URL === undefined
      ? []
      : [{ what: 'Grafana', where: withoutCredentials(settings.GRAFANA_URL), found: 'url', why: 'from GRAFANA_URL' }]),
    ...servers.map(({ what, url, found, note }) => ({
      what,
      where: withoutCredentials(url),
      found,
      why: shortened(note, folder),
    })),
  ];
}

/** A note with paths as short as a person at the repository's root would write them. */
export function shortened(note: string, folder: Folder): string {
  return note.replaceAll(folder.root, relative(process.cwd(), folder.root) || '.');
}

/** Where to reach what listens on `host` from this machine. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
