import type { DeadLetter } from '../dead-letters/letter';
import { clean, colours, table, type Io } from '../io';

/** Letters of one worker with one reason. */
export interface Group {
  worker: string;
  reason: string;
  letters: number;
  /** When the first and the last of them were parked, RFC 3339; empty when none of them says. */
  first: string;
  last: string;
  /** The most often that one of them has been replayed before. */
  replays: number;
}

/** Reasons are short classes; should somebody write ever new ones, the later of them are counted together. */
const MAX_GROUPS = 1000;

export function createGroups(): { add(letter: DeadLetter): void; all(): Group[] } {
  const groups = new Map<string, Group>();
  const groupOf = ({ worker, reason }: { worker: string; reason: string }): Group => {
    const key = JSON.stringify([worker, reason]);
    const there = groups.get(key);
    if (there) return there;
    if (groups.size >= MAX_GROUPS && reason !== '…') return groupOf({ worker, reason: '…' });
    const made = { worker, reason, letters: 0, first: '', last: '', replays: 0 };
    groups.set(key, made);
    return made;
  };
  return {
    add(letter) {
      const group = groupOf(letter);
      group.letters += 1;
      group.replays = Math.max(group.replays, letter.replays);
      if (letter.time === '') return;
      if (group.first === '' || letter.time < group.first) group.first = letter.time;
      if (letter.time > group.last) group.last = letter.time;
    },
    all: () => [...groups.values()],
  };
}

export function tableOfGroups(io: Io, groups: readonly Group[]): string {
  const paint = colours(io);
  const rows = groups.map(({ worker, reason, letters, first, last, replays }) => [
    clean(worker, 24), paint.yellow(clean(reason, 60)), letters, seconds(first), seconds(last), replays,
  ]); // prettier-ignore
  return table(['worker', 'reason', 'letters', 'first', 'last', 'replayed'], rows);
}

/** Without what is below the second, for people. */
export const seconds = (time: string): string => clean(time, 40).replace(/\.\d+Z$/, 'Z');
