import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { Registry } from 'prom-client';
import { parseKeys } from './keys';
import { createFirstTime } from './first-time';
import { ingestMetrics } from './metrics';
import { publisherDouble, type PublisherDouble } from './publisher-double';
import { createOrganizationLimit } from './organizations';
import { createQuota, type QuotaOptions } from './quota';
import { ingestRoutes } from './routes';
import { boundedServer, drain } from './server';
import { createNonces } from './signature';

export interface Reply {
  status: number;
  headers: Headers;
  json: Record<string, unknown> & {
    results?: Record<string, unknown>[];
    errors?: { field: string; message: string }[];
  };
  text: string;
}

/** The API over real HTTP, in front of a publisher that only remembers; for tests. */
export interface TestEdge {
  publisher: PublisherDouble;
  metrics: Registry;
  server: Server;
  url: string;
  port: number;
  /** Sends text and bytes as they are and anything else as JSON, with the key `secret` unless told otherwise. */
  post(body: unknown, headers?: Record<string, string>, method?: string): Promise<Reply>;
  close(): Promise<void>;
}

const MIB = 1024 * 1024;
export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const KEYS = `test:${sha256('secret')},ci:${sha256('ci-secret')}:ingest:source=/ci/,builds:${sha256('other')}:builds`;

/** What one request may hold in the tests. */
export const LIMITS = { bodyBytes: 256 * 1024, events: 1000 };

export interface EdgeOptions {
  /** INGEST_KEYS. */
  keys?: string;
  quota?: Partial<QuotaOptions>;
  organizations?: number;
  nonces?: number;
  limits?: typeof LIMITS;
  requestTimeoutMs?: number;
}

export async function startEdge(options: EdgeOptions = {}): Promise<TestEdge> {
  const publisher = publisherDouble();
  const metrics = new Registry();
  const log = pino({ level: 'silent' });
  const { keys } = parseKeys(options.keys ?? KEYS);
  const routes = ingestRoutes({
    keys, limits: options.limits ?? LIMITS, publisher, metrics: ingestMetrics(metrics), log,
    firstTime: createFirstTime(),
    quota: createQuota({ eventsPerSecond: 0, spoolBytes: MIB, spoolPercent: 50, publisher, ...options.quota }),
    mayName: createOrganizationLimit(options.organizations ?? 10_000),
    nonces: createNonces(options.nonces ?? 1000),
  }); // prettier-ignore
  const server = boundedServer(routes, { connections: 50, requestTimeoutMs: options.requestTimeoutMs ?? 5000 }).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/events`;
  return {
    publisher,
    metrics,
    server,
    url,
    port,
    async post(body, headers = {}, method = 'POST') {
      const asIs = typeof body === 'string' || body instanceof Uint8Array;
      const response = await fetch(url, {
        method,
        headers: { authorization: 'Bearer secret', 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: asIs ? (body as string) : JSON.stringify(body) }),
      });
      const text = await response.text();
      const json = text ? (JSON.parse(text) as Reply['json']) : {};
      return { status: response.status, headers: response.headers, text, json };
    },
    async close() {
      server.closeAllConnections();
      await drain(server);
    },
  };
}

/** A good CloudEvent, with other attributes where given. */
export function cloudEvent(more: object = {}): Record<string, unknown> {
  return {
    specversion: '1.0', id: 'e1', source: '/ci/1', type: 'io.weir.pull', time: '2026-11-23T06:54:00Z',
    data: { repository: 'library/alpine' }, ...more,
  }; // prettier-ignore
}

export const BATCH = { 'content-type': 'application/cloudevents-batch+json' };
export const ONE = { 'content-type': 'application/cloudevents+json' };
export const LINES = { 'content-type': 'application/x-ndjson' };
