import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Stands in for a read API that does what the real one never does: answers another way, breaks off, sends hostile
 * text, never ends. What the real one does is tested with the real one.
 */
export interface StandIn {
  url: string;
  /** Paths and searches that were asked for. */
  asked: string[];
  stop(): Promise<void>;
}

export async function standIn(answer: RequestListener): Promise<StandIn> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async stop() {
      const closed = once(server, 'close');
      server.close().closeAllConnections();
      await closed;
    },
  };
}

/** An answer in JSON. */
export const json =
  (body: unknown, status = 200): RequestListener =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));

/** What `/v1/query` answers, beside its rows. */
export const head = {
  statistic: 'pulls', measure: 'pulls', from: '2026-11-21T00:00:00Z', to: '2026-11-28T00:00:00Z', resolution: 'hour',
  by: ['organization'], filters: {}, total: 10, other: 0, capped: false, groups: 2, complete: true, gaps: [], state: 'live',
  failures: 0,
}; // prettier-ignore
