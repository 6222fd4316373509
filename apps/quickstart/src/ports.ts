import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StartError, holderOf } from '@weir/service';

/** A port that an app is to listen on, and the variable that names it. */
export interface WantedPort {
  variable: string;
  /** 0 = any free one. */
  port: number;
}

/**
 * Makes sure, before anything is started, that every port can be listened on, and turns 0 into a free one.
 *
 * @throws StartError with a line for each that is taken: port, variable, and who holds it where that can be known.
 */
export async function claimPorts(host: string, wanted: readonly WantedPort[]): Promise<Map<string, number>> {
  const problems: string[] = [];
  const ports = new Map<string, number>();
  for (const { variable, port } of wanted) {
    const twin = [...ports].find(([, other]) => port !== 0 && other === port)?.[0];
    if (twin !== undefined) {
      problems.push(`${variable}=${port} is also the port of ${twin}: give one of them another`);
      continue;
    }
    try {
      if (port === 0) ports.set(variable, await freePort(host));
      else if (await canListen(host, port)) ports.set(variable, port);
      else
        problems.push(`port ${port} is taken${await by(port)}: free it, or set ${variable} to another port (0 = any)`);
    } catch (error) {
      problems.push(`${variable}=${port}: ${(error as Error).message}; check HOST and ${variable}`);
    }
  }
  if (problems.length > 0) throw new StartError(problems.join('\n'));
  return ports;
}

async function by(port: number): Promise<string> {
  const holder = await holderOf(port);
  return holder ? ` by ${holder}` : '';
}

/** Below the range from which Linux takes ports for outgoing connections, so that one is still free for a restart. */
const FREE_PORTS = { from: 20_000, to: 32_000 };

/** A port that was free a moment ago; whoever listens next should still be ready to find it taken. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(FREE_PORTS.from, FREE_PORTS.to);
    if (await canListen(host, port)) return port;
  }
  throw new StartError(`No free port was found on ${host} between ${FREE_PORTS.from} and ${FREE_PORTS.to}.`);
}

/** Whether a server could listen on the port now. Another error than "in use" (a privileged port, a foreign address) is thrown. */
export async function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
