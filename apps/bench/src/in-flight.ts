/** Does something `count` times, always with so many on their way; resolves when all are done, rejects with the first failure. */
export function keepInFlight(
  count: number,
  inFlight: number,
  begin: (n: number, done: (error?: unknown) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let left = count;
    const done = (error?: unknown): void => {
      if (error) return reject(error as Error);
      left -= 1;
      if (left === 0) resolve();
      else if (next < count) begin(next++, done);
    };
    while (next < Math.min(inFlight, count)) begin(next++, done);
  });
}
