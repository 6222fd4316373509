import { entry } from '../entry';
import { encodeName } from '../keys';
import { keptValue } from './value';

/** A value of a dimension or a combination of such: always one and the same object, so that nothing is spelled twice. */
export interface Name {
  /** Different from all others of its table, from 0. */
  id: number;
  /** As it stands in a member of a bucket. */
  member: string;
}

/** The names of one cube. */
export interface Names {
  /** A value of a dimension. */
  valueOf(dimension: number, value: string): Name;
  /** The combination of a group: of the values at these places, in the group's order. */
  combined(group: number, places: readonly number[], values: readonly Name[]): Name;
  /** How many are remembered. */
  size(): number;
  forget(): void;
}

/** More than there can be in a table: two ids make one number. */
const IDS = 2 ** 26;
/** Longer values are looked up by what is kept of them. */
const LONG = 256;

export function createNames(): Names {
  const values: Map<string, Name>[] = [];
  /** By group, then by how many values have been combined. */
  const tables: Map<number, Name>[][] = [];
  let size = 0;

  const pair = (group: number, at: number, begun: Name, value: Name): Name => {
    const table = ((tables[group] ??= [])[at] ??= new Map());
    return entry(table, begun.id * IDS + value.id, () => {
      size++;
      return { id: table.size, member: `${begun.member}/${value.member}` };
    });
  };

  const add = (known: Map<string, Name>, text: string): Name => {
    size++;
    const kept = text.length < LONG ? keptValue(text) : text;
    const name = kept === undefined ? unknown : { id: known.size, member: encodeName(kept) };
    known.set(text, name);
    return name;
  };

  return {
    valueOf(dimension, value) {
      const known = (values[dimension] ??= new Map([['', unknown]]));
      const text = value.length < LONG ? value : (keptValue(value) ?? '');
      const name = known.get(text); // not `entry`: for each value of each event that makes a function
      return name ?? add(known, text);
    },
    combined(group, places, all) {
      let name = unknown;
      for (let at = 0; at < places.length; at++) {
        const value = all[places[at] as number] as Name;
        name = at === 0 ? value : pair(group, at, name, value);
      }
      return name;
    },
    size: () => size,
    forget() {
      values.length = 0;
      tables.length = 0;
      size = 0;
    },
  };
}

/** What a value is that is not known; and the only combination of no values. */
export const unknown: Name = { id: 0, member: '' };
