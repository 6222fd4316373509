import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Login } from './clients/client';

/** A small server of the matrix' own on a free port of 127.0.0.1. */
export interface HttpServer {
  url: string;
  close(): Promise<void>;
}

export async function serve(listener: RequestListener): Promise<HttpServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whether a request carries this login, as `Authorization: Basic …`. */
export function hasLogin(authorization: string | undefined, { user, password }: Login): boolean {
  return authorization === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
