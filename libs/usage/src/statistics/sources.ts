import { organizationOf, type WeirEvent } from '@weir/events';
import { entry } from '../entry';
import type { Distinct, DistinctSet, Members } from '../statistic';

/** Remembered combinations of organization and repository; when there are more, all are made again. */
const REMEMBERED = 20_000;

/** Distinct sources of pulls: a day by its own pseudonyms, several days of a month by the coarse ones of the month. */
export const sources: Distinct = {
  name: 'sources',
  summary: 'Distinct sources of pulls by day, repository and organization.',
  description:
    'Who pulled, each source once: of all, of each repository, of each organization. The pseudonym of the day tells the ' +
    'sources of one day apart. That of the month (24 bits, shared by many addresses by design) is the same on all days ' +
    'of a month, so that the sources of several days are the union of their sets, not their sum. Pulls that do not say ' +
    'where they came from are not in it.',
  members,
};

/** The set of the sources of one day, or of those of them that it names, by the pseudonyms of the day or of the month. */
export function sourcesBy(pseudonym: 'day' | 'month', of: Named): DistinctSet {
  return { measure: pseudonym, dimensions: { ...of } };
}

/** Of what the sources are: of everything, one repository, or one organization by its canonical name. */
export type Named = { repository?: never; organization?: never } | { repository: string } | { organization: string };

/** How many different coarse pseudonyms there are. */
export const COARSE_SPACE = 2 ** 24;
const coarse = /^[0-9a-f]{6}$/;

const none: readonly Members[] = [];

interface Sets {
  day: readonly DistinctSet[];
  month: readonly DistinctSet[];
}
const known = new Map<string | undefined, Map<string | undefined, Sets>>();
let remembered = 0;

function members(event: WeirEvent): readonly Members[] {
  if (event.type !== 'io.weir.pull') return none;
  const { source, repository } = event.data as { source?: { day?: unknown; month?: unknown }; repository?: string };
  if (typeof source !== 'object' || source === null) return none;
  const { day, month } = setsOf(organizationOf(event), repository);
  const found: Members[] = [];
  if (typeof source.day === 'string') found.push({ member: source.day, sets: day });
  // Anything else is no place in the space that the estimate is corrected for.
  if (typeof source.month === 'string' && coarse.test(source.month)) found.push({ member: source.month, sets: month });
  return found;
}

function setsOf(organization: string | undefined, repository: string | undefined): Sets {
  if (remembered > REMEMBERED) {
    known.clear();
    remembered = 0;
  }
  return entry(
    entry(known, organization, () => new Map<string | undefined, Sets>()),
    repository,
    () => {
      remembered++;
      const by = (pseudonym: 'day' | 'month'): DistinctSet[] => [
        sourcesBy(pseudonym, {}),
        ...(repository === undefined ? [] : [sourcesBy(pseudonym, { repository })]),
        ...(organization === undefined ? [] : [sourcesBy(pseudonym, { organization })]),
      ];
      return { day: by('day'), month: by('month') };
    },
  );
}
