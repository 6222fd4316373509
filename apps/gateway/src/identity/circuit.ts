/** Keeps from asking somebody who does not answer. */
export interface Circuit {
  /** May a question be asked? While the circuit is open, only one after each pause. */
  allows(): boolean;
  /** A question was answered. True when that closed the circuit. */
  answered(): boolean;
  /** A question was not. True when that opened it. */
  failed(): boolean;
}

/** Opens after `failures` questions in a row without an answer. `now` is in milliseconds. */
export function createCircuit({
  failures,
  pauseMs,
  now,
}: {
  failures: number;
  pauseMs: number;
  now: () => number;
}): Circuit {
  let inRow = 0;
  let askAgainAt = 0;
  return {
    allows() {
      if (inRow < failures) return true;
      if (now() < askAgainAt) return false;
      askAgainAt = now() + pauseMs;
      return true;
    },
    answered() {
      const closed = inRow >= failures;
      inRow = 0;
      return closed;
    },
    failed() {
      inRow += 1;
      askAgainAt = now() + pauseMs;
      return inRow === failures;
    },
  };
}
