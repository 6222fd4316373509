import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';
import type { Readiness } from './health';

/**
 * The port of operators, apart from the one of clients: `/healthz` (the process is alive), `/readyz` (every
 * dependency, each by name) and `/metrics` (Prometheus).
 */
export function adminServer(readiness: () => Promise<Readiness>, metrics: Registry): Server {
  return createServer((request, response) => {
    const send = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const answer = async (): Promise<void> => {
      switch (request.url?.split('?')[0]) {
        case '/healthz':
          return send(200, 'application/json', '{"alive":true}\n');
        case '/readyz': {
          const state = await readiness();
          return send(state.ready ? 200 : 503, 'application/json', `${JSON.stringify(state)}\n`);
        }
        case '/metrics':
          return send(200, metrics.contentType, await metrics.metrics());
        default:
          return send(404, 'text/plain', 'There is /healthz, /readyz and /metrics.\n');
      }
    };
    answer().catch(() => send(500, 'text/plain', 'The state cannot be told just now.\n'));
  });
}
