import type { Io } from '../io';

/** Tells on stderr how far a long work is: one line that is written over on a terminal, now and then a line elsewhere. */
export interface Progress {
  /** So many events more; `position` is that in the history. */
  add(events: number, position: number): void;
  /** All of them so far. */
  events(): number;
  seconds(): number;
  /** Clears the line away. */
  end(): void;
}

export function createProgress(io: Io, what: string): Progress {
  const terminal = io.stderr.isTTY === true;
  const everyMs = terminal ? 200 : 10_000;
  const begun = performance.now();
  let events = 0;
  let told = begun;
  const seconds = () => (performance.now() - begun) / 1000;
  return {
    events: () => events,
    seconds,
    add(more, position) {
      events += more;
      if (performance.now() - told < everyMs) return;
      told = performance.now();
      const rate = Math.round(events / seconds());
      const line = `weir: ${what}: ${grouped(events)} events, ${grouped(rate)}/s, position ${grouped(position)}`;
      io.stderr.write(terminal ? `\r${line}\u001b[K` : `${line}\n`);
    },
    end() {
      if (terminal && told !== begun) io.stderr.write('\r\u001b[K');
    },
  };
}

/** 1234567 → 1,234,567 */
export function grouped(number: number | bigint): string {
  return number.toLocaleString('en-US');
}
