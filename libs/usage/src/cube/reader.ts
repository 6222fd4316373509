import { entry } from '../entry';
import { KEEP_DAYS, type Cube, type Increment } from '../statistic';
import type { BucketPair, Buckets, Cell, LatestCell, LatestSet } from './cells';
import { createNames, unknown, type Name } from './names';

/** What an event does to a cube. */
export interface Read {
  /** Which cells grow, and by how much. */
  steps: readonly { cells: readonly Cell[]; by: number }[];
  /** Whose latest event it may be. */
  latest: readonly (readonly LatestCell[])[];
}

export interface CubeReader {
  cube: Cube;
  /**
   * What the increments of an event do in its hour, `YYYY-MM-DDTHH`. Nothing is changed yet.
   *
   * @throws Error for what is no list of increments of this cube; the message says why
   */
  read(found: readonly Increment[], hour: string): Read;
  /** How many names are remembered. */
  size(): number;
  forget(): void;
}

/** What one event may do at most; it costs Redis this much in one step. */
const MAX = { increments: 50, values: 64, cells: 5_000 };
/** How many other arrays may come before one that comes again is recognised. */
const RECENT = 100;

/** Values of an increment by dimension: one, or several. */
type Values = (Name | readonly Name[])[];

interface Hour {
  measures: Map<string, { pairs: readonly BucketPair[]; cells: Map<string, readonly Cell[]> }>;
  shared: Map<readonly Increment[], Read>;
}

/** What a list of so many that is remembered costs, as so many cells. */
const costOf = (length: number): number => 1 + length / 8;

/** Reads what a cube says of events. */
export function createReader(cube: Cube, buckets: Buckets): CubeReader {
  const { name: statistic, names: namesKept } = cube;
  const keepDays = cube.keepDays ?? KEEP_DAYS;
  const dimensions = Object.keys(cube.dimensions);
  const dimensionAt = new Map(dimensions.map((dimension, at) => [dimension, at]));
  const measures = new Set(Object.keys(cube.measures));
  const groups = differing([[], ...cube.groups]).map((group) => ({ group, at: placesOf(group) }));
  const latestGroups = differing(cube.latest ?? []).map((group) => ({ group, at: placesOf(group) }));
  const names = createNames();
  const hours = new Map<string, Hour>();
  /** Those of the increment in hand. */
  const values: Values = dimensions.map(() => unknown);
  const spell = createSpelling(dimensions.length);
  let recent = new Set<readonly Increment[]>();
  let latestSets: LatestSet[] | undefined;
  const latestCells = new Map<string, readonly LatestCell[]>();
  let remembered = 0;

  function placesOf(group: readonly string[]): number[] {
    return group.map((dimension) => {
      const at = dimensionAt.get(dimension);
      if (at === undefined) throw new RangeError(`${statistic} has no dimension ${dimension} for a group`);
      return at;
    });
  }

  const pairsOf = (measure: string, hour: string): BucketPair[] => {
    if (!measures.has(measure)) throw new RangeError(`${statistic} has no measure ${measure}`);
    return groups.map(({ group }) => buckets.pairOf({ statistic, measure, group, keepDays, names: namesKept }, hour));
  };

  const readValues = (increment: Increment): void => {
    values.fill(unknown);
    for (const dimension in increment.dimensions) {
      const at = dimensionAt.get(dimension);
      if (at === undefined) throw new RangeError(`${statistic} has no dimension ${dimension}`);
      const value: unknown = increment.dimensions[dimension];
      if (typeof value === 'string') values[at] = names.valueOf(at, value);
      else if (Array.isArray(value)) values[at] = severalOf(value, at, dimension);
      else if (value !== undefined) throw new TypeError(`${statistic} gives no text for ${dimension}`);
    }
  };

  const severalOf = (list: readonly unknown[], at: number, dimension: string): Name | readonly Name[] => {
    if (list.length > MAX.values) throw new RangeError(`${statistic} gives more than ${MAX.values} of ${dimension}`);
    if (list.length === 0) return unknown;
    if (list.length === 1 && typeof list[0] === 'string') return names.valueOf(at, list[0]);
    const different = new Set<Name>();
    for (const value of list) {
      if (typeof value !== 'string') throw new TypeError(`${statistic} gives no text for ${dimension}`);
      different.add(names.valueOf(at, value));
    }
    const [only, ...others] = different;
    return only !== undefined && others.length === 0 ? only : [...different];
  };

  /** The combinations of a group that these values make: one, or one for each of several values. */
  const combinationsOf = (table: number, at: readonly number[], values: Values): Name[] => {
    const several = at.find((dimension) => Array.isArray(values[dimension]));
    if (several === undefined) return [names.combined(table, at, values as readonly Name[])];
    const combinations = (values[several] as readonly Name[]).flatMap((value) =>
      combinationsOf(table, at, values.with(several, value)),
    );
    if (combinations.length > MAX.cells) throw new RangeError(`${statistic} gives too many combinations of values`);
    return combinations;
  };

  const cellsOf = (pairs: readonly BucketPair[], values: Values): readonly Cell[] => {
    const cells: Cell[] = [];
    groups.forEach(({ at }, table) => {
      for (const name of combinationsOf(table, at, values)) buckets.addCell(pairs[table] as BucketPair, name, cells);
    });
    remembered += costOf(cells.length);
    return cells;
  };

  const latestOf = (values: Values): readonly LatestCell[] => {
    latestSets ??= latestGroups.map(({ group }) => buckets.latestSet(statistic, group, namesKept));
    const cells = latestSets.flatMap((set, at) => {
      const { at: places } = latestGroups[at] as { at: number[] };
      return combinationsOf(groups.length + at, places, values).map((name) => buckets.latestCell(set, name));
    });
    remembered += costOf(cells.length);
    return cells;
  };

  const readAnew = (found: readonly Increment[], ofHour: Hour, hour: string): Read => {
    if (!Array.isArray(found)) throw new TypeError(`${statistic} gives no list of increments`);
    if (found.length > MAX.increments)
      throw new RangeError(`${statistic} gives more than ${MAX.increments} increments`);
    const read = { steps: [] as Read['steps'][number][], latest: [] as (readonly LatestCell[])[] };
    let changed = 0;
    for (const increment of found) {
      if (!isIncrement(increment)) throw new TypeError(`${statistic} gives something that is no increment`);
      readValues(increment);
      const spelled = spell(values);
      let any = false;
      for (const measure in increment.measures) {
        const by = increment.measures[measure] as number;
        if (!Number.isSafeInteger(by)) throw new RangeError(`${statistic} counts by ${by}, not by a whole number`);
        const of = entry(ofHour.measures, measure, () => ({ pairs: pairsOf(measure, hour), cells: new Map() }));
        if (by === 0) continue;
        any = true;
        const cells = entry(of.cells, spelled, () => cellsOf(of.pairs, values));
        if ((changed += cells.length) > MAX.cells)
          throw new RangeError(`${statistic} changes too many numbers at once`);
        read.steps.push({ cells, by });
      }
      if (any && increment.latest !== false && latestGroups.length > 0)
        read.latest.push(entry(latestCells, spelled, () => latestOf(values)));
    }
    return read;
  };

  return {
    cube,
    read(found, hour) {
      const ofHour = entry(hours, hour, () => ({ measures: new Map(), shared: new Map() }));
      const known = ofHour.shared.get(found);
      if (known !== undefined) return known;
      const read = readAnew(found, ofHour, hour);
      // Whoever gives an array again keeps it.
      if (recent.has(found)) {
        remembered += costOf(read.steps.length);
        ofHour.shared.set(found, read);
      } else {
        if (recent.size >= RECENT) recent = new Set();
        recent.add(found);
      }
      return read;
    },
    size: () => names.size() + remembered,
    forget() {
      names.forget();
      hours.clear();
      recent.clear();
      latestSets = undefined;
      latestCells.clear();
      remembered = 0;
    },
  };
}

/** Makes texts that differ for different values of so many dimensions: of their ids, in the order of the dimensions. */
function createSpelling(dimensions: number): (values: Values) => string {
  const ids = new Uint32Array(dimensions * (2 + MAX.values));
  const bytes = Buffer.from(ids.buffer);
  return (values) => {
    let at = 0;
    for (const value of values) {
      if (isSeveral(value)) {
        ids[at++] = SEVERAL;
        ids[at++] = value.length;
        for (const { id } of value) ids[at++] = id;
      } else {
        ids[at++] = value.id;
      }
    }
    // Of one piece of memory for all: a list for each is a fifth of all that the worker has to clear away.
    return bytes.toString('latin1', 0, at * ids.BYTES_PER_ELEMENT);
  };
}

/** No id. */
const SEVERAL = 0xffff_ffff;

const isSeveral = (value: Name | readonly Name[]): value is readonly Name[] => Array.isArray(value);

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isIncrement = (value: unknown): value is Increment =>
  isObject(value) && isObject((value as Increment).measures) && isObject((value as Increment).dimensions);

const differing = (groups: readonly (readonly string[])[]): (readonly string[])[] => [
  ...new Map(groups.map((group) => [group.join('+'), group])).values(),
];
