/** Time as counting knows it. Tests turn it by hand. */
export interface Clock {
  /** Milliseconds since some moment; they never go back. */
  now(): number;
  /** Does something later, unless the process ends before. Returns how to call it off. */
  after(ms: number, what: () => void): () => void;
}

export const clock: Clock = {
  now: () => performance.now(),
  after(ms, what) {
    const timer = setTimeout(what, ms).unref();
    return () => clearTimeout(timer);
  },
};
