import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StartError } from './errors';

/**
 * Starts listening and resolves with the port (which is new when 0 was asked for).
 *
 * @throws StartError when the port cannot be had: names the port, the variable to change and, on Linux, who holds it.
 */
export async function listen(
  server: Server,
  { host, port, variable }: { host: string; port: number; variable: string },
): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EADDRINUSE') {
      const holder = await holderOf(port);
      const by = holder ? ` by ${holder}` : '';
      throw new StartError(`Port ${port} is taken${by}. Free it, or set ${variable} to another port.`);
    }
    throw new StartError(`Cannot listen on ${host}:${port}: ${(error as Error).message}. Check HOST and ${variable}.`);
  }
  return (server.address() as AddressInfo).port;
}

/** Who listens on a local TCP port, as `name (process 123)`; undefined where it cannot be known. */
export async function holderOf(port: number): Promise<string | undefined> {
  try {
    const inodes = new Set<string>();
    for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
      for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1)) {
        const columns = line.trim().split(/\s+/);
        const local = columns[1]?.split(':')[1];
        if (columns[3] === '0A' && local && parseInt(local, 16) === port && columns[9]) inodes.add(columns[9]);
      }
    }
    if (inodes.size === 0) return undefined;
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
        const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
        if (!inodes.has(target.slice('socket:['.length, -1))) continue;
        return `${(await readFile(`/proc/${pid}/comm`, 'utf8')).trim()} (process ${pid})`;
      }
    }
  } catch {
    return undefined; // no /proc here
  }
  return undefined;
}

/** What a problem document says, RFC 9457; `errors` names the fields. */
export interface ProblemDocument<Mistake extends object = { field: string; message: string }> {
  status: number;
  title: string;
  detail?: string;
  errors?: readonly Mistake[];
  headers?: Record<string, string>;
}

/** Answers with `application/problem+json`. Never call it with anything an outsider must not see. */
export function problem(
  response: ServerResponse,
  { status, title, detail, errors, headers }: ProblemDocument<object>,
): void {
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, errors });
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
