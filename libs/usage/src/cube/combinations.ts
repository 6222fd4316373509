import { parseMember } from './keys';
import { QuestionError } from './question-error';
import type { Wanted } from './group';
import type { Scored } from './union';

/** One combination of values of the rows, over the whole range. */
export interface Combination {
  /** The values as a member: what equal ones are sorted by. */
  name: string;
  value: number;
  /** The members of the group that it is made of. */
  members: string[];
}

/** Combinations that a process holds at most: some hundred MB. */
const MAX_COMBINATIONS = 500_000;

/** What is wanted of the members, put together by the dimensions of the rows; largest first, then by name. */
export async function combine(
  pages: AsyncIterable<readonly Scored[]>,
  { picks, segments }: Pick<Wanted, 'picks' | 'segments'>,
  seen: (parts: readonly string[], value: number) => void,
): Promise<Combination[]> {
  const found = new Map<string, Combination>();
  let members = 0;
  for await (const page of pages) {
    for (const [member, value] of page) {
      const parts = member.split('/');
      if (!segments.every((segment, at) => segment === undefined || segment === parts[at])) continue;
      if (++members > MAX_COMBINATIONS)
        throw new QuestionError('by', `there are more than ${MAX_COMBINATIONS} combinations to be put together`, 'a shorter range, or other dimensions'); // prettier-ignore
      seen(parts, value);
      const name = picks.map((pick) => parts[pick] ?? '').join('/');
      const combination = found.get(name);
      if (combination === undefined) found.set(name, { name, value, members: [member] });
      else {
        combination.value += value;
        combination.members.push(member);
      }
    }
  }
  return [...found.values()].sort(largestFirst);
}

export function largestFirst(a: Pick<Combination, 'name' | 'value'>, b: Pick<Combination, 'name' | 'value'>): number {
  return b.value - a.value || (a.name < b.name ? -1 : 1);
}

/** The values of a combination, in the order of `by`. */
export function valuesOf(name: string, by: readonly string[]): (string | null)[] {
  return parseMember(name, by).map((value) => value ?? null);
}
