import type { ProblemDocument } from '@weir/service';
import { isCalendarDay, type UniquesQuery } from '@weir/usage';

/** The longest range, days. */
const MAX_DAYS = 400;
/** As long as the catalogue lets them be. */
const MAX_LENGTH = { repository: 512, organization: 253 };
const NAMES = ['from', 'to', 'repository', 'organization'] as const;
type Name = (typeof NAMES)[number];

/** Parameters are wrong: each with what was wrong and what is allowed. */
export class QuestionError extends Error {
  constructor(readonly errors: NonNullable<ProblemDocument['errors']>) {
    super('the parameters are wrong');
  }
}

/**
 * Reads the parameters of a request for distinct sources. Empty ones count as absent.
 *
 * @throws QuestionError with all that is wrong
 */
export function uniquesQuestionOf(parameters: URLSearchParams): UniquesQuery {
  const errors: { field: string; message: string }[] = [];
  const wrong = (field: string, message: string) => void errors.push({ field, message });
  for (const name of new Set(parameters.keys())) {
    if (!(NAMES as readonly string[]).includes(name)) {
      wrong(name.slice(0, 64), `is no parameter; there are ${NAMES.join(', ')}`);
    } else if (parameters.getAll(name).length > 1) wrong(name, 'must be given once');
  }
  const valueOf = (name: Name) => parameters.get(name) || undefined;
  const dayOf = (name: Name) => {
    const day = valueOf(name);
    if (day === undefined || !isCalendarDay(day)) wrong(name, 'must be a day of the calendar, YYYY-MM-DD (UTC)');
    return day ?? '';
  };

  const [from, to] = [dayOf('from'), dayOf('to')];
  const [repository, organization] = [valueOf('repository'), valueOf('organization')];
  for (const [name, value] of Object.entries({ repository, organization })) {
    const max = MAX_LENGTH[name as keyof typeof MAX_LENGTH];
    if ((value?.length ?? 0) > max) wrong(name, `must be at most ${max} characters`);
  }
  if (repository !== undefined && organization !== undefined) {
    wrong('organization', 'must not be given beside repository: sources are kept for each of them, not for pairs');
  }
  if (errors.length === 0 && to < from) wrong('to', `must not lie before from (${from})`);
  if (errors.length === 0 && daysFrom(from, to) > MAX_DAYS)
    wrong('to', `must be at most ${MAX_DAYS} days from from on`);
  if (errors.length > 0) throw new QuestionError(errors);
  return {
    days: Array.from({ length: daysFrom(from, to) }, (_, at) => dayAfter(from, at)),
    ...(repository === undefined ? {} : { repository }),
    ...(organization === undefined ? {} : { organization }),
  };
}

const DAY_MS = 86_400_000;

/** Both included. */
function daysFrom(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
}

/** UTC has no days of other lengths: a day alone is read as one of UTC, and written so. */
function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length);
}
