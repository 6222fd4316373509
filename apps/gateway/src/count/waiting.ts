import type { Clock } from './clock';
import { createOrdered } from '../ordered';

/** Things that wait for something that may never come: each only so long, and only so many. */
export interface Waiting<Value> {
  /** From now on this waits, or begins anew to. */
  hold(value: Value): void;
  /** What it waited for has come. */
  release(value: Value): void;
  /** Nothing waits any longer. */
  flush(): void;
  readonly size: number;
}

/** What has waited for `pauseMs`, and the longest waiting when there are more than `max`, is given to `leave`. */
export function createWaiting<Value>(options: {
  clock: Clock;
  pauseMs: number;
  max: number;
  leave: (value: Value) => void;
}): Waiting<Value> {
  const { clock, pauseMs, max, leave } = options;
  // All wait equally long: the oldest is always the next to leave.
  const until = createOrdered<Value, number>();
  let armed = false;

  function arm(): void {
    const next = until.oldest();
    if (armed || next === undefined) return;
    armed = true;
    clock.after(Math.max(next.value - clock.now(), 0), sweep);
  }

  function sweep(): void {
    armed = false;
    const now = clock.now();
    for (let next = until.oldest(); next !== undefined && next.value <= now; next = until.oldest()) part();
    arm();
  }

  /** From the one that has waited longest. */
  function part(): void {
    const longest = until.shift();
    if (longest !== undefined) leave(longest.key);
  }

  return {
    hold(value) {
      until.put(value, clock.now() + pauseMs);
      if (until.size > max) part();
      if (!armed) arm();
    },
    release: (value) => void until.delete(value),
    flush() {
      while (until.size > 0) part();
    },
    get size() {
      return until.size;
    },
  };
}
