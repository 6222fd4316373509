import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Tls } from './tls';

/** How much of the process one client, or all of them together, can hold. */
export interface ServerLimits {
  connections: number;
  /** For one whole request; its head has a third of that at most. */
  requestTimeoutMs: number;
  /** With it the port speaks HTTPS, and nothing else. */
  tls?: Tls | undefined;
}

const HEAD_TIMEOUT_MS = 10_000;
const HEAD_BYTES = 16 * 1024;

/** An HTTP server that a slow or greedy client cannot wear out: Node's own limits are meant for trusted networks. */
export function boundedServer(listener: RequestListener, limits: ServerLimits): Server {
  const headTimeoutMs = Math.min(HEAD_TIMEOUT_MS, limits.requestTimeoutMs);
  const options = {
    headersTimeout: headTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: 5000,
    maxHeaderSize: HEAD_BYTES,
  };
  const server = limits.tls
    ? createTlsServer({ ...options, ...limits.tls, handshakeTimeout: headTimeoutMs, minVersion: 'TLSv1.2' }, listener)
    : createServer(options, listener);
  server.maxConnections = limits.connections;
  return server;
}

/** Takes no new connection, lets requests in flight finish, and resolves when the last connection is closed. */
export function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // A connection kept alive becomes idle only when its answer is out, and nothing tells of that.
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    server.close(() => (clearInterval(idle), resolve()));
    server.closeIdleConnections();
  });
}
