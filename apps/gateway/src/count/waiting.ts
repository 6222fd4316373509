import type { Clock } from './clock';

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
  // A Map iterates in the order of insertion, and all wait equally long: the first is always the next to leave.
  const until = new Map<Value, number>();
  let armed = false;

  function arm(): void {
    const [next] = until.values();
    if (armed || next === undefined) return;
    armed = true;
    clock.after(Math.max(next - clock.now(), 0), sweep);
  }

  function sweep(): void {
    armed = false;
    const now = clock.now();
    for (const [value, time] of until) {
      if (time > now) break;
      part(value);
    }
    arm();
  }

  function part(value: Value): void {
    until.delete(value);
    leave(value);
  }

  return {
    hold(value) {
      until.delete(value);
      until.set(value, clock.now() + pauseMs);
      const [longest] = until.keys();
      if (until.size > max && longest !== undefined) part(longest);
      arm();
    },
    release: (value) => void until.delete(value),
    flush() {
      for (const value of [...until.keys()]) part(value);
    },
    get size() {
      return until.size;
    },
  };
}
