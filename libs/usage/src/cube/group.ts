import { encodeName } from '../keys';
import { formatMember } from './keys';
import type { Description, Question } from './question';
import { QuestionError } from './question-error';
import { keptValue } from './value';

/** The dimension that nobody has to have: what has none is anonymous. */
export const ORGANIZATION = 'organization';

/** A group that is read for a question, and what of its members is wanted. */
export interface Wanted {
  group: readonly string[];
  /** Where the dimensions of the rows stand in it. */
  picks: readonly number[];
  /** What each segment of a member must be; undefined: anything. */
  segments: readonly (string | undefined)[];
  /** The only member that can be meant, when there is a filter for every dimension; the total has the empty one. */
  member?: string;
  /** The rows are the members, one for one and in their order: nothing is left out or put together. */
  asIs: boolean;
}

/**
 * The smallest group that has all dimensions of the rows and of the filters; the first of equally small ones. Where it
 * has more than those, its members are added up, and an event with several values of one that is left out is in the sum
 * several times: a statistic with such a dimension also keeps the group without it.
 *
 * @throws QuestionError when there is none, saying which there are
 */
export function wantedOf(
  { groups }: Pick<Description, 'groups'>,
  { by, filters }: Pick<Question, 'by' | 'filters'>,
): Wanted {
  const needed = new Set([...by, ...Object.keys(filters)]);
  if (new Set(by).size < by.length) throw new QuestionError('by', 'names a dimension twice', 'each once');
  const fitting = [[], ...groups].filter((group) => [...needed].every((dimension) => group.includes(dimension)));
  const [group] = fitting.sort((a, b) => a.length - b.length);
  if (group === undefined)
    throw new QuestionError('by', `${[...needed].join(', ')} are not kept together`, `dimensions of one of ${groups.map((each) => each.join('+')).join(', ')}`); // prettier-ignore
  const segments = segmentsOf(group, filters);
  const member = segments.every((segment) => segment !== undefined) ? { member: segments.join('/') } : {};
  return {
    group,
    picks: by.map((dimension) => group.indexOf(dimension)),
    segments,
    ...member,
    asIs: Object.keys(filters).length === 0 && by.join() === group.join(),
  };
}

/** The member for what is anonymous among what the filters leave, where a group has just that. */
export function anonymousOf(
  description: Pick<Description, 'groups'>,
  filters: Question['filters'],
): { group: readonly string[]; member: string } | undefined {
  const dimensions = [...Object.keys(filters), ORGANIZATION];
  const group = description.groups.find((each) => each.length === dimensions.length && dimensions.every((dimension) => each.includes(dimension))); // prettier-ignore
  if (group === undefined) return undefined;
  return { group, member: formatMember(group.map((dimension) => filters[dimension] ?? undefined)) };
}

/** What each segment of the group's members must be; undefined: anything. */
export function segmentsOf(group: readonly string[], filters: Question['filters']): (string | undefined)[] {
  const stranger = Object.keys(filters).find((dimension) => !group.includes(dimension));
  if (stranger !== undefined) throw new QuestionError(stranger, 'cannot be a filter here', group.join(', '));
  return group.map((dimension) => (Object.hasOwn(filters, dimension) ? segmentOf(dimension, filters[dimension]) : undefined)); // prettier-ignore
}

function segmentOf(dimension: string, value: string | null | undefined): string | undefined {
  if (value === undefined || value === null) return value === null ? '' : undefined;
  const kept = keptValue(value);
  if (kept === undefined)
    throw new QuestionError(
      dimension,
      'must not be empty, and must be well-formed Unicode',
      'a name, or null for what is not known',
    );
  return encodeName(kept);
}
