import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { ServerError } from './server';

/**
 * Free ports are taken below the range from which Linux gives out ports for outgoing connections (32768 and up), so
 * that a server that is down for a while finds its port still free when it starts again.
 */
const lowest = 20_000;
const highest = 32_000;
/** Distribution of a default RabbitMQ, and MongoDB: never a default port, even if it is free now. */
const never = new Set([25_672, 27_017, 27_018, 27_019]);
const given = new Set<number>();

/** Gives a loopback port that nothing listens on and that this process has not given out before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const port = randomInt(lowest, highest);
    if (never.has(port) || given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new ServerError(`No free port was found on 127.0.0.1 between ${lowest} and ${highest}.`);
}

/** Whether a server could listen on the port now, on loopback or on any address. */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '0.0.0.0'));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
