import { encodeName } from '../keys';
import { KEEP_DAYS, type Cube, type Increment } from '../statistic';
import type { Series } from './keys';
import { keptValue } from './value';

/** A combination of values in one series: a member of each of its buckets. */
export interface Place {
  series: CubeSeries;
  member: string;
}

/** A series and how its buckets are kept. */
export interface CubeSeries extends Series {
  keepDays: { hour: number; day: number };
  /** How many members a bucket tells apart; undefined: as many as the counter is told. */
  names: number | undefined;
}

/** What an event does to a cube in any hour. Events that count alike have one and the same. */
export interface Effect {
  /** Where it is one more. */
  ones: readonly Place[];
  /** Where it is another number more: for each of its amounts, in their order. */
  others: readonly (readonly Place[])[];
  /** Whose latest event it may be. */
  latest: readonly LatestPlace[];
}

export interface LatestPlace {
  statistic: string;
  group: readonly string[];
  names: number | undefined;
  member: string;
}

/** An effect, with the numbers of one event. */
export interface Read {
  effect: Effect;
  amounts: readonly number[];
}

/** Remembered effects, each of two kilobytes; when there are more, all are forgotten and made again. */
const REMEMBERED = 20_000;

/** What one event may do at most; it costs Redis this much in one step. */
const MAX = { increments: 50, values: 64, places: 5_000 };

/**
 * Reads what a cube says of an event. Equal increments give the same effect, numbers other than one aside; those that
 * come again as one and the same array are recognised by it.
 *
 * @throws Error for what is no list of increments of this cube; the message says why
 */
export function createEffects(cube: Cube): (found: readonly Increment[]) => Read {
  const compile = compiler(cube);
  const known = new Map<string, { read: Read; found: readonly Increment[] }>();
  const constants = new Map<readonly Increment[], Read>();

  return (found) => {
    const constant = constants.get(found);
    if (constant !== undefined) return constant;
    if (known.size > REMEMBERED || constants.size > REMEMBERED) {
      known.clear();
      constants.clear();
    }
    const amounts: number[] = [];
    const shape = shapeOf(cube.name, found, amounts);
    const before = known.get(shape);
    if (before === undefined) {
      const read = { effect: compile(found), amounts };
      known.set(shape, { read, found });
      return read;
    }
    const read = amounts.length === 0 ? before.read : { effect: before.read.effect, amounts };
    // The same array for the second time: whoever made it keeps it.
    if (before.found === found) constants.set(found, read);
    before.found = found;
    return read;
  };
}

/** Everything that the effect depends on as one text; the amounts other than one go to where it is told. */
function shapeOf(name: string, found: readonly Increment[], amounts: number[]): string {
  if (!Array.isArray(found)) throw new TypeError(`${name} gives no list of increments`);
  if (found.length > MAX.increments) throw new RangeError(`${name} gives more than ${MAX.increments} increments`);
  let shape = '';
  for (const { measures, dimensions, latest } of found) {
    if (latest === false) shape += '-';
    for (const measure in measures) {
      const by = measures[measure];
      if (!Number.isSafeInteger(by)) throw new RangeError(`${name} counts by ${String(by)}, not by a whole number`);
      if (by === 0) continue;
      shape += `${measure.length}${by === 1 ? '=' : '+'}${measure}`;
      if (by !== 1) amounts.push(by as number);
    }
    shape += ';';
    for (const dimension in dimensions) {
      const value = dimensions[dimension];
      if (value === undefined) continue;
      shape += `${dimension.length}:${dimension}`;
      if (typeof value === 'string') shape += textShape(value);
      else if (!Array.isArray(value)) throw new TypeError(`${name} gives no text for ${dimension}`);
      else if (value.length > MAX.values) throw new RangeError(`${name} gives more than ${MAX.values} of ${dimension}`);
      else shape += `${value.length}[${value.map(textShape).join('')}`;
    }
    shape += '.';
  }
  return shape;
}

function textShape(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a value of a dimension is no text');
  const kept = value.length < 256 ? value : (keptValue(value) ?? '');
  return `${kept.length}"${kept}`;
}

/** Makes the effect of increments of the right shape. */
function compiler(cube: Cube): (found: readonly Increment[]) => Effect {
  const { names } = cube;
  const groups = [...new Map([[], ...cube.groups].map((group) => [group.join('+'), group])).values()];
  const keepDays = cube.keepDays ?? KEEP_DAYS;
  const allSeries = new Map<string, CubeSeries[]>(
    Object.keys(cube.measures).map((measure) => {
      return [measure, groups.map((group) => ({ statistic: cube.name, measure, group, keepDays, names }))];
    }),
  );
  const allDimensions = new Set(Object.keys(cube.dimensions));

  /** Dimension → its values, encoded; without those that are not known. */
  const valuesOf = ({ dimensions }: Increment): Map<string, readonly string[]> => {
    const values = new Map<string, readonly string[]>();
    for (const dimension in dimensions) {
      if (!allDimensions.has(dimension)) throw new RangeError(`${cube.name} has no dimension ${dimension}`);
      const value = dimensions[dimension];
      const list = value === undefined || typeof value === 'string' ? [value] : value;
      if (list.length > 0) values.set(dimension, [...new Set(list.map(segmentOf))]);
    }
    return values;
  };

  return (found) => {
    const effect = { ones: [] as Place[], others: [] as Place[][], latest: [] as LatestPlace[] };
    let count = 0;
    for (const increment of found) {
      const measures = Object.entries(increment.measures).filter(([, by]) => by !== 0);
      if (measures.length === 0) continue;
      const values = valuesOf(increment);
      for (const [measure, by] of measures) {
        const series = allSeries.get(measure);
        if (series === undefined) throw new RangeError(`${cube.name} has no measure ${measure}`);
        const places = series.flatMap((each) =>
          membersOf(each.group, values).map((member) => ({ series: each, member })),
        );
        count += places.length;
        if (count > MAX.places) throw new RangeError(`${cube.name} changes more than ${MAX.places} numbers at once`);
        if (by === 1) effect.ones.push(...places);
        else effect.others.push(places);
      }
      if (increment.latest === false) continue;
      for (const group of cube.latest ?? []) {
        const members = membersOf(group, values);
        effect.latest.push(...members.map((member) => ({ statistic: cube.name, group, names, member })));
      }
    }
    return effect;
  };
}

const segmentOf = (value: string | undefined): string => {
  const kept = value === undefined ? undefined : keptValue(value);
  return kept === undefined ? '' : encodeName(kept);
};

const notKnown: readonly string[] = [''];

/** The members of a group that these values make: one, or one for each of several values. */
function membersOf(group: readonly string[], values: ReadonlyMap<string, readonly string[]>): string[] {
  let members = [''];
  group.forEach((dimension, at) => {
    const own = values.get(dimension) ?? notKnown;
    if (members.length * own.length > MAX.places) throw new RangeError(`too many combinations of ${group.join(', ')}`);
    members = at === 0 ? [...own] : members.flatMap((member) => own.map((value) => `${member}/${value}`));
  });
  return members;
}
