/** What was measured: a figure for each round, and their median. */
export interface Measured {
  rounds: readonly number[];
  median: number;
}

export function measured(rounds: readonly number[]): Measured {
  const sorted = [...rounds].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return { rounds, median: low === undefined || high === undefined ? NaN : (low + high) / 2 };
}

/**
 * Measures several things in turn, A B A B, so that what else the machine does befalls all of them alike.
 *
 * @param sides what is measured, each giving one figure
 */
export async function inTurn<Side extends string>(
  rounds: number,
  sides: Readonly<Record<Side, () => Promise<number>>>,
  progress: (text: string) => void,
): Promise<Record<Side, Measured>> {
  const names = Object.keys(sides) as Side[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Side, number[]>;
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of names) {
      progress(`round ${round} of ${rounds}: ${name}`);
      figures[name].push(await sides[name]());
    }
  }
  return Object.fromEntries(names.map((name) => [name, measured(figures[name])])) as Record<Side, Measured>;
}

/** How many a second, when `work` takes care of `count` of them. */
export async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return count / ((performance.now() - from) / 1000);
}

/** By how much sizes have grown from the second quarter of a run, when all is warm, to the last, percent. */
export function growthOf(sizes: readonly number[]): number {
  const mean = (from: number, to: number): number => {
    const part = sizes.slice(Math.floor(sizes.length * from), Math.ceil(sizes.length * to));
    return part.reduce((sum, size) => sum + size, 0) / part.length;
  };
  return 100 * (mean(0.75, 1) / mean(0.25, 0.5) - 1);
}
