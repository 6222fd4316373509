import { clearLine, cursorTo } from 'node:readline';
import type { Flow } from './flow';
import { flowLine } from './flow';

/** Shows what flows, and lines in between. */
export interface Screen {
  flow(flow: Flow): void;
  /** A whole line that stays. */
  line(text: string): void;
  /** No live line any more. */
  still(): void;
}

const PLAIN_EVERY_MS = 10_000;

/** On a terminal, one line at the bottom that rewrites itself each second; elsewhere a plain line every ten. */
export function createScreen(out: NodeJS.WriteStream): Screen {
  let live = '';
  let lastPlain = 0;
  const wipe = (): void => {
    if (live === '') return;
    cursorTo(out, 0);
    clearLine(out, 0);
  };
  let still = false;
  return {
    flow(flow) {
      if (still) return;
      if (out.isTTY) {
        wipe();
        live = flowLine(flow).slice(0, Math.max(20, (out.columns || 80) - 1)); // a wrapped line could not be wiped
        out.write(live);
      } else if (performance.now() - lastPlain >= PLAIN_EVERY_MS || lastPlain === 0) {
        lastPlain = performance.now();
        out.write(`${flowLine(flow)}\n`);
      }
    },
    line(text) {
      wipe();
      out.write(`${text}\n`);
      if (live !== '') out.write(live);
    },
    still() {
      wipe();
      live = '';
      still = true;
    },
  };
}
