import type { Measured } from './measure';

/** One figure of the benchmark: what Weir does, and what bounds it on the same machine in the same run. */
export interface Row {
  /** What is measured, and against what. */
  name: string;
  unit: string;
  /** Median of the rounds. */
  value: number;
  /** Median of what does nothing else; null for a figure that stands alone. */
  limit: number | null;
  /** Value ÷ limit. */
  ratio: number | null;
  /** The lowest and the highest ratio of one round, or value where there is no limit. */
  spread: readonly [number, number];
  /** What is wanted of the ratio, or of the value where there is no limit; null for what is shown for comparison only. */
  target: Target | null;
  ok: boolean;
  /** What a reader has to know of it. */
  note?: string;
}

export interface Target {
  is: 'at least' | 'at most';
  bound: number;
}

export const atLeast = (bound: number): Target => ({ is: 'at least', bound });
export const atMost = (bound: number): Target => ({ is: 'at most', bound });

interface Named {
  name: string;
  unit: string;
  target?: Target;
  note?: string;
  /** What must hold beside the target, e.g. that the counts are exact. */
  holds?: boolean;
}

/** A figure beside its limit, measured in turn; the target is one of their ratio. */
export function compared(named: Named & { value: Measured; limit: Measured }): Row {
  const { value, limit } = named;
  const ratio = value.median / limit.median;
  const ratios = value.rounds.map((each, round) => each / (limit.rounds[round] ?? limit.median));
  return rowOf(named, { value: value.median, limit: limit.median, ratio, spread: rangeOf(ratios), judged: ratio });
}

/** A figure that has no limit to be held against; the target is one of itself. */
export function alone(named: Named & { value: Measured }): Row {
  const { median, rounds } = named.value;
  return rowOf(named, { value: median, limit: null, ratio: null, spread: rangeOf(rounds), judged: median });
}

function rowOf(
  { name, unit, target, note, holds = true }: Named,
  figures: Pick<Row, 'value' | 'limit' | 'ratio' | 'spread'> & { judged: number },
): Row {
  const { value, limit, ratio, spread, judged } = figures;
  const ok = holds && (target === undefined || meets(judged, target));
  return {
    name,
    unit,
    value,
    limit,
    ratio,
    spread,
    target: target ?? null,
    ok,
    ...(note === undefined ? {} : { note }),
  };
}

/** Nothing that is no number meets a target. */
function meets(figure: number, { is, bound }: Target): boolean {
  return is === 'at least' ? figure >= bound : figure <= bound;
}

const rangeOf = (figures: readonly number[]): [number, number] => [Math.min(...figures), Math.max(...figures)];
