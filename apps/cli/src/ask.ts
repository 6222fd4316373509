import { createInterface } from 'node:readline';
import type { Io } from './io';

/** Whether there is somebody to ask. */
export function canAsk(io: Io): boolean {
  return io.stdout.isTTY === true && (io.stdin as { isTTY?: boolean }).isTTY === true;
}

/** Asks a question that is answered with `y` or `yes`; anything else, Ctrl-C and the end of the input are a no. */
export async function ask(io: Io, question: string): Promise<boolean> {
  io.stdout.write(`${question} [y/N] `);
  const lines = createInterface({ input: io.stdin, terminal: false });
  try {
    return await new Promise<boolean>((resolve) => {
      lines.once('line', (line) => resolve(/^\s*y(es)?\s*$/i.test(line)));
      lines.once('close', () => resolve(false));
      io.signal.addEventListener('abort', () => resolve(false), { once: true });
    });
  } finally {
    lines.close();
  }
}
