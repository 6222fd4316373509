import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';

/** The living processes that work in `dir` or name it: all that a server in `dir` has started. */
export function processesOf(dir: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => traces(pid).some((trace) => trace.includes(dir)))
    .map((pid) => `${pid} ${attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')}`);
}

/** Whether anything accepts a connection on the loopback port. */
export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Several, for a server may rewrite its arguments and environment (Redis does) or leave its directory. */
function traces(pid: string): string[] {
  return [
    attempt(() => readlinkSync(`/proc/${pid}/cwd`)),
    attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')),
    attempt(() => readFileSync(`/proc/${pid}/environ`, 'utf8')),
  ];
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return ''; // it has ended in the meantime
  }
}
