import type { RequestHandler } from 'express';

/** There is no room for another question now. */
export class BusyError extends Error {}

/** Questions that are being answered: so many at once and no more, so that none pile up before Redis. */
export interface Turns {
  /** Takes a turn; whoever has it gives it back by the function. @throws BusyError */
  take(): () => void;
  taken(): number;
}

export function createTurns(max: number): Turns {
  let taken = 0;
  return {
    take() {
      if (taken >= max) throw new BusyError(`${max} questions are being answered`);
      taken += 1;
      let mine = true;
      return () => {
        if (mine) taken -= 1;
        mine = false;
      };
    },
    taken: () => taken,
  };
}

/** However slowly a client reads, its answer is over by then, whole or broken off. */
export const ANSWER_MS = 120_000;

/** Gives a request its turn until its answer is over. @throws BusyError */
export function inTurn(turns: Turns): RequestHandler {
  return (_, response, next) => {
    const done = turns.take();
    const tooLong = setTimeout(() => response.destroy(), ANSWER_MS).unref();
    response.once('close', () => {
      clearTimeout(tooLong);
      done();
    });
    next();
  };
}
