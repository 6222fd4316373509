import type { Soon } from '../soon';

/** Work that is done in order where it shares a key, side by side where it does not, and never too much at once. */
export interface Turns {
  /** Does the work when all earlier work with this key is done and there is a free place: at once where that is now. */
  take(key: string, work: () => Soon<void>): Soon<void>;
  /** Is there work with this key that is not done yet? */
  busy(key: string): boolean;
  /** Pieces of work that are not done yet. */
  waiting(): number;
  /** Resolves when nothing is waiting. */
  idle(): Promise<void>;
}

export function createTurns({ atOnce }: { atOnce: number }): Turns {
  const last = new Map<string, Promise<void>>();
  const queue: (() => void)[] = [];
  let free = atOnce;
  let waiting = 0;
  /** Work is beginning: what it hands in itself comes after it. */
  let beginning = false;

  async function place(): Promise<void> {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
  }

  function leave(): void {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  }

  function begin(work: () => Soon<void>): Soon<void> {
    beginning = true;
    try {
      return work();
    } finally {
      beginning = false;
    }
  }

  /** The rest of work that has begun. */
  async function end(begun: Promise<void>): Promise<void> {
    free -= 1;
    waiting += 1;
    try {
      await begun;
    } finally {
      leave();
      waiting -= 1;
    }
  }

  async function run(before: Promise<void> | undefined, work: () => Soon<void>): Promise<void> {
    waiting += 1;
    try {
      await before?.catch(() => {}); // its own caller has been told
      await place();
      try {
        await begin(work);
      } finally {
        leave();
      }
    } finally {
      waiting -= 1;
    }
  }

  function inTurn(key: string, turn: Promise<void>): Promise<void> {
    last.set(key, turn);
    const forget = () => void (last.get(key) === turn && last.delete(key));
    turn.then(forget, forget);
    return turn;
  }

  return {
    take(key, work) {
      const before = last.get(key);
      if (before !== undefined || free === 0 || beginning) return inTurn(key, run(before, work));
      const begun = begin(work);
      return begun instanceof Promise ? inTurn(key, end(begun)) : undefined;
    },
    busy: (key) => last.has(key),
    waiting: () => waiting,
    async idle() {
      while (last.size > 0) await Promise.allSettled(last.values());
    },
  };
}
