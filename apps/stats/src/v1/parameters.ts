import { INTERVALS, TIMES } from '@weir/usage';
import { z } from 'zod';
import type {} from 'zod-openapi'; // its types of meta
import type { Mistake } from './mistakes';

/**
 * The parameters of every path, once: what they are read by, and what stands in the OpenAPI document. A parameter's
 * description says what is allowed, and is told with a mistake in it.
 */

const FORMATS = ['json', 'csv', 'ndjson'] as const;
export type Format = (typeof FORMATS)[number];

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;

export const DEFAULT_LIMIT = 1000;
export const MAX_LIMIT = 100_000;
const MAX_TOP = 1000;
const MAX_BY = 16;
/** Longer than any name that an event may have. */
const MAX_LENGTH = 1024;

const times = {
  from: z
    .string()
    .default('now-7d')
    .meta({ description: `Start of the range, included: ${TIMES}.`, example: 'now-24h' }),
  to: z
    .string()
    .default('now')
    .meta({ description: `End of the range, not included: ${TIMES}.`, example: 'now' }),
};

const format = z
  .enum(FORMATS, `must be ${either(FORMATS)}`)
  .optional()
  .meta({ description: `${either(FORMATS)}; without it the Accept header says.`, example: 'csv' });

const statistic = z
  .string('is missing')
  .meta({ description: 'A statistic: one of those that /v1/statistics lists.', example: 'pulls' });

export const queryParameters = z.object({
  statistic,
  measure: z.string().optional().meta({ description: "A measure of the statistic; its first one if there is none.", example: 'pulls' }),
  ...times,
  interval: z.enum(INTERVALS, `must be ${either(INTERVALS)}`).optional().meta({ description: `A row for each interval of this length: ${either(INTERVALS)}; all in UTC.`, example: 'day' }),
  by: names().optional().meta({ description: `A row for each combination of values of these dimensions: at most ${MAX_BY} names, separated by commas.`, example: 'organization,repository', override: { type: 'string' } }),
  top: whole(1, MAX_TOP).optional().meta({ description: `Only the combinations with the largest numbers over the whole range: 1 to ${MAX_TOP} of them.`, example: 5, override: integer(1, MAX_TOP) }),
  weekday: weekdays().optional().meta({ description: `Only these days of the week, in UTC, separated by commas: ${either(WEEKDAYS)}.`, example: 'tuesday', override: { type: 'string' } }),
  compare: z.enum(['previous', 'previous-year'], 'must be previous or previous-year').optional().meta({ description: 'Beside each number that of a range before: previous (as long, just before) or previous-year.', example: 'previous' }),
  fill: z.enum(['zero', 'none'], 'must be zero or none').default('none').meta({ description: 'Whether intervals without anything have rows: zero or none.', example: 'zero' }),
  limit: whole(1, MAX_LIMIT).optional().meta({ description: `Rows of a page: 1 to ${MAX_LIMIT}; ${DEFAULT_LIMIT} if it is not given, in CSV and NDJSON without compare: all.`, example: 100, override: integer(1, MAX_LIMIT) }),
  cursor: z.string().optional().meta({ description: 'The page after another: taken from its next or Link, with everything else as it stands there.' }),
  format,
}); // prettier-ignore

export const latestParameters = z.object({
  statistic,
  by: names('is missing').meta({ description: "Dimensions, separated by commas: one of the statistic's groups in latest.", example: 'namespace,entityType,entityName,action', override: { type: 'string' } }),
  limit: whole(1, MAX_LIMIT).default(DEFAULT_LIMIT).meta({ description: `At most so many rows, the latest first: 1 to ${MAX_LIMIT}.`, example: 100, override: { ...integer(1, MAX_LIMIT), default: DEFAULT_LIMIT } }),
  format,
}); // prettier-ignore

export const gapsParameters = z.object(times);
export const noParameters = z.object({});

/** What was read: parameters that are right, by name, those that the path does not have, and all that is wrong so far. */
export interface Given<S extends z.ZodObject> {
  values: Partial<z.output<S>>;
  others: ReadonlyMap<string, string>;
  mistakes: Mistake[];
}

/** Reads the parameters of a request by a schema. Empty ones count as absent; what is in `others` may mean the empty one. */
export function readParameters<S extends z.ZodObject>(schema: S, given: URLSearchParams): Given<S> {
  const mistakes: Mistake[] = [];
  const others = new Map<string, string>();
  const values: Record<string, unknown> = {};
  const fields = new Map<string, z.ZodType>(Object.entries(schema.shape) as [string, z.ZodType][]);
  for (const name of new Set(given.keys())) {
    const value = given.get(name) ?? '';
    const allowed = fields.get(name)?.description ?? `one value of at most ${MAX_LENGTH} characters`;
    const wrong = (message: string) => mistakes.push({ parameter: name.slice(0, 64), message, allowed });
    if (given.getAll(name).length > 1) wrong('must be given once');
    else if (value.length > MAX_LENGTH) wrong(`must be at most ${MAX_LENGTH} characters`);
    else if (!fields.has(name)) others.set(name, value);
    else continue;
    fields.delete(name);
  }
  for (const [parameter, field] of fields) {
    const read = field.safeParse(given.get(parameter) || undefined);
    if (read.success) values[parameter] = read.data;
    else {
      const message = [...new Set(read.error.issues.map((issue) => issue.message))].join('; ');
      mistakes.push({ parameter, message, allowed: field.description ?? '' });
    }
  }
  return { values: values as Given<S>['values'], others, mistakes };
}

/** Parameters that nothing here has a meaning for. */
export function unknown(names: Iterable<string>, allowed: readonly string[]): Mistake[] {
  const all = allowed.length === 0 ? 'no parameters' : allowed.join(', ');
  return Array.from(names, (name) => ({ parameter: name.slice(0, 64), message: 'is no parameter here', allowed: all }));
}

export function either(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
}

function whole(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  const isWhole = (text: string) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max;
  return z.string().refine(isWhole, message).transform(Number);
}

/** A number in the document, though it is read from text. */
function integer(minimum: number, maximum: number) {
  return { type: 'integer' as const, minimum, maximum };
}

function names(missing?: string) {
  return z
    .string(missing)
    .transform((text) => text.split(','))
    .refine((all) => all.every((name) => name !== ''), 'must be names with one comma between them')
    .refine((all) => new Set(all).size === all.length, 'must not name one twice')
    .refine((all) => all.length <= MAX_BY, `must be at most ${MAX_BY} names`);
}

/** As numbers, Sunday 0, in the order of the week. */
function weekdays() {
  return z
    .string()
    .transform((text) => [...new Set(text.split(','))].map((name) => (WEEKDAYS as readonly string[]).indexOf(name)))
    .refine((days) => !days.includes(-1), `must be ${either(WEEKDAYS)}, or several of them with commas between`)
    .transform((days) => days.sort((a, b) => a - b));
}

export function weekdayNames(days: readonly number[]): string[] {
  return days.flatMap((day) => WEEKDAYS[day] ?? []);
}
