/** Work that is done in order where it shares a key, side by side where it does not, and never too much at once. */
export interface Turns {
  /** Does the work when all earlier work with this key is done and there is a free place. */
  take(key: string, work: () => Promise<void>): Promise<void>;
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

  async function place(): Promise<void> {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
  }

  function leave(): void {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  }

  async function run(before: Promise<void> | undefined, work: () => Promise<void>): Promise<void> {
    await before?.catch(() => {}); // its own caller has been told
    await place();
    try {
      await work();
    } finally {
      leave();
      waiting -= 1;
    }
  }

  return {
    take(key, work) {
      waiting += 1;
      const turn = run(last.get(key), work);
      last.set(key, turn);
      const forget = () => void (last.get(key) === turn && last.delete(key));
      turn.then(forget, forget);
      return turn;
    },
    busy: (key) => last.has(key),
    waiting: () => waiting,
    async idle() {
      while (last.size > 0) await Promise.allSettled(last.values());
    },
  };
}
