import { createServer, Socket, type Server } from 'node:net';

/** One address in front of several servers, as a TCP load balancer is: every connection goes to the next that accepts it. */
export interface Chooser {
  readonly port: number;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 2000;

/** @param ports of the servers, on loopback; taken in turn. Who is refused by one is led to the next, and reset after the last. */
export async function startChooser(port: number, ports: readonly number[]): Promise<Chooser> {
  const clients = new Set<Socket>();
  let turn = 0;

  const lead = async (client: Socket): Promise<void> => {
    clients.add(client);
    client.on('error', () => {});
    client.on('close', () => clients.delete(client));
    const first = (turn += 1);
    for (const at of ports.keys()) {
      const server = await connected(ports[(first + at) % ports.length] ?? 0);
      if (!server) continue;
      if (client.destroyed) return void server.destroy();
      join(client, server);
      return;
    }
    client.resetAndDestroy();
  };

  const listener = await new Promise<Server>((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true }, (client) => void lead(client));
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

  return {
    port,
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const client of clients) client.destroy();
      }),
  };
}

function connected(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = new Socket();
    const give = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    const timer = setTimeout(give, CONNECT_TIMEOUT_MS);
    socket.once('error', give);
    socket.connect(port, '127.0.0.1', () => {
      clearTimeout(timer);
      socket.off('error', give);
      resolve(socket);
    });
  });
}

function join(client: Socket, server: Socket): void {
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.setNoDelay(true);
    from.on('error', () => {});
    from.on('close', (failed) => void (failed ? to.resetAndDestroy() : to.destroySoon()));
    from.pipe(to);
  }
}
