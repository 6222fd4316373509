import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createWire, type Request } from './wire';

/** At which of the addresses something was asked: the gateway, an upstream's own, or where an upstream redirects to. */
export type Where = 'gateway' | 'upstream' | 'storage';

/** What was asked anywhere, in the order in which it was asked. */
export interface Trace {
  note(where: Where, request: Request): void;
  /** Everything since the last call. */
  take(): { where: Where; request: Request }[];
}

export function createTrace(): Trace {
  let requests: ReturnType<Trace['take']> = [];
  return {
    note: (where, request) => void requests.push({ where, request }),
    take() {
      const taken = requests;
      requests = [];
      return taken;
    },
  };
}

/** Stands on the way to a server and writes down what is asked there. */
export interface Recorder {
  /** `127.0.0.1:port`, as clients name it. */
  host: string;
  close(): Promise<void>;
}

/** Passes every byte on as it is, both ways, so that nobody can tell, to a server at 127.0.0.1 and this port. */
export async function createRecorder(
  where: Where,
  address: string,
  port: () => number,
  trace: Trace,
): Promise<Recorder> {
  const open = new Set<Socket>();

  const keep = (socket: Socket, other: Socket): void => {
    open.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => other.destroy());
    socket.once('close', () => {
      open.delete(socket);
      other.destroySoon();
    });
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const behind = connect({ host: '127.0.0.1', port: port(), allowHalfOpen: true });
    const wire = createWire((request) => trace.note(where, request));
    keep(client, behind);
    keep(behind, client);
    client.on('data', (bytes: Buffer) => wire.fromClient(bytes));
    behind.on('data', (bytes: Buffer) => wire.fromServer(bytes));
    client.pipe(behind);
    behind.pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  return {
    host: `${address}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
