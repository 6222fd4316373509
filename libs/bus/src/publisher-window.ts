import { once, EventEmitter } from 'node:events';

/** To be told, once, whether something was confirmed. */
export type Settled = (confirmed: boolean) => void;

/** What has been sent and not been confirmed yet: bounded in number and in bytes, so that memory is. */
export interface Window {
  events(): number;
  /** Whether an event of so many bytes fits; into an empty window each does. */
  fits(bytes: number): boolean;
  /** One more is in flight; `settled` is called once, with whether it was confirmed. */
  enter(bytes: number, settled: Settled): Settled;
  /** What is in flight counts as not confirmed; a confirm that comes later changes nothing. */
  giveUp(): void;
  /** How long the oldest has been in flight, milliseconds. */
  oldestMs(): number;
  /** Resolves when nothing is in flight, at the latest after so many milliseconds. */
  empty(timeoutMs: number): Promise<void>;
}

interface InFlight {
  /** Of the monotonic clock, milliseconds. */
  sentAt: number;
  settle(confirmed: boolean): void;
}

/** @param max `settles` is told of each that has been settled */
export function createWindow(max: { events: number; bytes: number; settles?: Settled }): Window {
  const inFlight = new Set<InFlight>(); // in the order of sending
  const changes = new EventEmitter();
  let bytes = 0;
  return {
    events: () => inFlight.size,
    fits: (more) => inFlight.size === 0 || (inFlight.size < max.events && bytes + more <= max.bytes),
    enter(size, settled) {
      const entry: InFlight = {
        sentAt: performance.now(),
        settle(confirmed) {
          if (!inFlight.delete(entry)) return; // a late confirm of what has been given up
          bytes -= size;
          if (inFlight.size === 0) changes.emit('empty');
          max.settles?.(confirmed);
          settled(confirmed);
        },
      };
      inFlight.add(entry);
      bytes += size;
      return entry.settle;
    },
    giveUp() {
      for (const entry of [...inFlight]) entry.settle(false);
    },
    oldestMs() {
      const [oldest] = inFlight;
      return oldest ? performance.now() - oldest.sentAt : 0;
    },
    async empty(timeoutMs) {
      if (inFlight.size === 0) return;
      await once(changes, 'empty', { signal: AbortSignal.timeout(Math.ceil(timeoutMs)) }).catch(() => {});
    },
  };
}
