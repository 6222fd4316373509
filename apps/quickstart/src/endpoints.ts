import type { Folder } from './folder';
import { writeJson } from './folder';
import type { Secrets } from './secrets';

/** How a server was found (DESIGN section 6). */
export type Found = 'url' | 'docker' | 'program' | 'stand-in';

/** The keys of the servers: the same for a server's address and, behind `found.`, for how it was found. */
export const SERVER_KEYS = ['amqp', 'redis', 'influx', 'mongodb', 'registry'] as const;
export type ServerKey = (typeof SERVER_KEYS)[number];

/**
 * `.weir/endpoints.json`: every address that works as it stands, credentials included, for programs. One flat object,
 * as DESIGN section 6 says; `registry` is there when the quick start has started one.
 */
export interface Endpoints extends Secrets {
  gateway: string;
  ingest: string;
  buildService: string;
  stats: string;
  grafana?: string;
  amqp: string;
  redis: string;
  influx: string;
  mongodb: string;
  registry?: string;
  influxDatabase: string;
  mongoDatabase: string;
  'found.amqp': Found;
  'found.redis': Found;
  'found.influx': Found;
  'found.mongodb': Found;
  'found.registry'?: Found;
}

/** Writes the file in one step, readable by its owner only: it is there exactly while everything is ready. */
export function writeEndpoints(folder: Folder, endpoints: Endpoints): void {
  writeJson(folder.endpoints, endpoints);
}
