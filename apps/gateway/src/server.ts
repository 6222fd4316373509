import { createServer, type RequestListener, type Server } from 'node:http';

/** Stricter than Node's defaults, which are for trusted networks: headers within 10 s, not within 60. */
const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 65_000,
  maxRequestsPerSocket: 10_000,
  idleTimeout: 120_000,
};

/** The server for clients. Limits: 16 KiB of headers (431), 10 s for them (408), 2 minutes without a byte either way. */
export function createGatewayServer(
  handler: RequestListener,
  { connections, ...changed }: { connections: number } & Partial<typeof LIMITS>,
): Server {
  const limits = { ...LIMITS, ...changed };
  const { maxHeaderSize, headersTimeout, requestTimeout, connectionsCheckingInterval, keepAliveTimeout } = limits;
  const server = createServer(
    { maxHeaderSize, headersTimeout, requestTimeout, connectionsCheckingInterval, keepAliveTimeout },
    handler,
  );
  server.maxRequestsPerSocket = limits.maxRequestsPerSocket;
  server.maxConnections = connections;
  server.setTimeout(limits.idleTimeout);
  return server;
}

/** Stops taking connections, lets answers that are under way end for `graceMs`, then closes what is left. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
}
