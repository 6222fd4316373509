import { createServer, type Socket } from 'node:net';

/**
 * The name service of one Erlang node, in place of epmd: the node registers with it and asks it for the ports of the
 * others. Because every node has one of its own, each can be told another port for the same peer, and so be led over
 * a proxy. Protocol: https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#epmd-protocol
 */
export interface ErlangNames {
  /** What the node must have as ERL_EPMD_PORT. */
  readonly port: number;
  /** The port at which a node that is registered here listens itself. */
  portOf(name: string): number | undefined;
  close(): Promise<void>;
}

const ALIVE2_REQ = 120;
const ALIVE2_X_RESP = 118;
const PORT_PLEASE2_REQ = 122;
const PORT2_RESP = 119;
const NAMES_REQ = 110;

/** @param portOfPeer where this node finds a node that is not registered here; undefined while it does not run */
export async function startErlangNames(
  port: number,
  portOfPeer: (name: string) => number | undefined,
): Promise<ErlangNames> {
  const registered = new Map<string, { port: number; socket: Socket }>();
  const sockets = new Set<Socket>();
  let creation = Math.floor(Math.random() * 2 ** 31);

  const replyTo = (socket: Socket, request: Buffer): void => {
    const [kind] = request;
    if (kind === ALIVE2_REQ) {
      const name = request.toString('utf8', 11, 11 + request.readUInt16BE(9));
      registered.set(name, { port: request.readUInt16BE(1), socket });
      socket.on('close', () => registered.get(name)?.socket === socket && registered.delete(name));
      const reply = Buffer.from([ALIVE2_X_RESP, 0, 0, 0, 0, 0]);
      reply.writeUInt32BE((creation += 1), 2);
      socket.write(reply); // the registration lasts as long as the connection
    } else if (kind === PORT_PLEASE2_REQ) {
      const name = request.toString('utf8', 1);
      socket.end(portReply(name, registered.get(name)?.port ?? portOfPeer(name)));
    } else if (kind === NAMES_REQ) {
      const own = Buffer.alloc(4);
      own.writeUInt32BE(port);
      const lines = [...registered].map(([name, { port: at }]) => `name ${name} at port ${at}\n`);
      socket.end(Buffer.concat([own, Buffer.from(lines.join(''))]));
    } else {
      socket.destroy();
    }
  };

  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const request = received.subarray(2, 2 + received.readUInt16BE(0));
      received = Buffer.alloc(0);
      replyTo(socket, request);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });

  return {
    port,
    portOf: (name) => registered.get(name)?.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function portReply(name: string, port: number | undefined): Buffer {
  if (port === undefined) return Buffer.from([PORT2_RESP, 1]);
  const reply = Buffer.alloc(14 + Buffer.byteLength(name));
  reply.set([PORT2_RESP, 0]);
  reply.writeUInt16BE(port, 2);
  reply.set([77, 0], 4); // a node that is not hidden, over TCP
  reply.writeUInt16BE(6, 6); // highest and lowest version of the distribution protocol: OTP 23 to 27
  reply.writeUInt16BE(5, 8);
  reply.writeUInt16BE(Buffer.byteLength(name), 10);
  reply.write(name, 12);
  return reply;
}
