import type { Description, LatestQuestion, Question } from '@weir/usage';
import type { z } from 'zod';
import { canonical, ForbiddenError, organizationFor } from '../access';
import type { Reader } from '../accounts';
import { cursorOf } from './cursor';
import { ParametersError, type Mistake } from './mistakes';
import {
  DEFAULT_LIMIT,
  gapsParameters,
  latestParameters,
  queryParameters,
  readParameters,
  unknown,
  type Format,
} from './parameters';
import { rangeOf, type Range } from './range';

/** A question for the numbers of a statistic, and how they are to be told. */
export interface Asked {
  description: Description;
  question: Question;
  compare?: 'previous' | 'previous-year';
  format?: Format;
  /** Rows of a page; absent where the format decides. */
  limit?: number;
  /** Rows that pages before have had. */
  skip: number;
}

/** What questions are checked against. */
export interface Known {
  descriptions: readonly Description[];
  reader: Reader;
  /** Unix ms. */
  now: number;
}

/**
 * Reads a question from the parameters of a request: they are right in themselves, the statistic has what they name, and
 * the reader may be told.
 *
 * @throws ParametersError with all that can be known to be wrong
 * @throws ForbiddenError
 */
export function queryOf(given: URLSearchParams, known: Known): Asked {
  const { values, others, mistakes } = readParameters(queryParameters, given);
  const description = describedBy(values.statistic, known.descriptions, mistakes);
  const range = rangeOf(values, known.now, mistakes);
  if (values.top !== undefined && values.by === undefined && !mistakes.some(({ parameter }) => parameter === 'by')) {
    mistakes.push({ parameter: 'top', message: 'needs by: the largest of what', allowed: 'top beside by' });
  }
  if (description === undefined) throw new ParametersError(mistakes);

  const filters = filtersOf(others, description, queryParameters, mistakes);
  const by = values.by ?? [];
  checkNames('by', by, Object.keys(description.dimensions), mistakes);
  const measure = values.measure ?? Object.keys(description.measures)[0] ?? '';
  if (measure !== '') checkNames('measure', [measure], Object.keys(description.measures), mistakes);
  if (mistakes.length === 0) scope(filters, description.groups, known.reader);
  checkGroup(by, filters, description.groups, mistakes);
  if (mistakes.length > 0 || range === undefined) throw new ParametersError(mistakes);

  const question: Question = {
    statistic: description.name,
    measure,
    ...range,
    by,
    filters,
    fill: values.fill === 'zero',
    ...(values.interval === undefined ? {} : { interval: values.interval }),
    ...(values.top === undefined ? {} : { top: values.top }),
    ...(values.weekday === undefined ? {} : { weekdays: values.weekday }),
  };
  return {
    description,
    question,
    skip: values.cursor === undefined ? 0 : cursorOf(values.cursor, question, values.compare),
    ...(values.compare === undefined ? {} : { compare: values.compare }),
    ...(values.format === undefined ? {} : { format: values.format }),
    ...(values.limit === undefined ? {} : { limit: values.limit }),
  };
}

/** @throws ParametersError, ForbiddenError */
export function latestOf(
  given: URLSearchParams,
  { descriptions, reader }: Known,
): LatestQuestion & { format?: Format } {
  const { values, others, mistakes } = readParameters(latestParameters, given);
  const description = describedBy(values.statistic, descriptions, mistakes);
  if (description === undefined) throw new ParametersError(mistakes);
  const filters = filtersOf(others, description, latestParameters, mistakes);
  const group = description.latest.find((names) => sameNames(names, values.by ?? []));
  if (values.by !== undefined && group === undefined) {
    mistakes.push({ parameter: 'by', message: 'is no group of which the latest times are kept', allowed: groupsText(description.latest) }); // prettier-ignore
  }
  if (mistakes.length === 0) scope(filters, group === undefined ? [] : [group], reader);
  for (const parameter of Object.keys(filters)) {
    if (group === undefined || group.includes(parameter)) continue;
    mistakes.push({ parameter, message: 'must be one of by', allowed: group.join(', ') });
  }
  if (mistakes.length > 0) throw new ParametersError(mistakes);
  return {
    statistic: description.name,
    group: group ?? [],
    filters,
    limit: values.limit ?? DEFAULT_LIMIT,
    ...(values.format === undefined ? {} : { format: values.format }),
  };
}

/** @throws ParametersError */
export function gapsRangeOf(given: URLSearchParams, now: number): Range {
  const { values, others, mistakes } = readParameters(gapsParameters, given);
  mistakes.push(...unknown(others.keys(), Object.keys(gapsParameters.shape)));
  const range = rangeOf(values, now, mistakes);
  if (mistakes.length > 0 || range === undefined) throw new ParametersError(mistakes);
  return range;
}

/** Adds a mistake where parameters are given to a path that has none. @throws ParametersError */
export function nothingOf(given: URLSearchParams): void {
  const mistakes = unknown(new Set(given.keys()), []);
  if (mistakes.length > 0) throw new ParametersError(mistakes);
}

function describedBy(
  name: string | undefined,
  descriptions: readonly Description[],
  mistakes: Mistake[],
): Description | undefined {
  const description = descriptions.find((each) => each.name === name);
  if (name === undefined || description !== undefined) return description;
  const allowed =
    descriptions.map((each) => each.name).join(', ') || 'none: the redis-worker has not described any yet';
  mistakes.push({ parameter: 'statistic', message: 'there is no such statistic', allowed });
  return undefined;
}

/** The parameters that are dimensions: an empty value is the one that is not known. */
function filtersOf(
  others: ReadonlyMap<string, string>,
  { dimensions }: Description,
  schema: z.ZodObject,
  mistakes: Mistake[],
): Record<string, string | null> {
  const names = Object.keys(dimensions);
  const strangers = [...others.keys()].filter((name) => !names.includes(name));
  mistakes.push(...unknown(strangers, [...Object.keys(schema.shape), ...names]));
  const filters = [...others].filter(([name]) => names.includes(name));
  return Object.fromEntries(filters.map(([name, value]) => [name, valueOf(name, value)]));
}

function valueOf(dimension: string, text: string): string | null {
  if (text === '') return null;
  return dimension === 'organization' ? canonical(text) : text;
}

/** Narrows the filters to what the reader may see. @throws ForbiddenError */
function scope(filters: Record<string, string | null>, groups: Description['groups'], reader: Reader): void {
  if (reader.organization === undefined) return;
  if (!groups.some((group) => group.includes('organization')))
    throw new ForbiddenError('these numbers are not told apart by organization, and the credentials are for one only');
  const asked = filters['organization'];
  if (asked === null) throw new ForbiddenError('what has no known organization is not for credentials of one');
  filters['organization'] = organizationFor(reader, asked) ?? reader.organization;
}

function checkNames(parameter: string, names: readonly string[], known: readonly string[], mistakes: Mistake[]): void {
  const strangers = names.filter((name) => !known.includes(name)).map((name) => `'${name.slice(0, 64)}'`);
  if (strangers.length === 0) return;
  const message = `${strangers.join(', ')} ${strangers.length > 1 ? 'are' : 'is'} not there`;
  mistakes.push({ parameter, message, allowed: known.join(', ') });
}

/** Whether what is asked for together is kept together. */
function checkGroup(
  by: readonly string[],
  filters: Readonly<Record<string, string | null>>,
  groups: Description['groups'],
  mistakes: Mistake[],
): void {
  const names = [...new Set([...by, ...Object.keys(filters)])];
  if (mistakes.length > 0 || names.length === 0) return;
  if (groups.some((group) => names.every((name) => group.includes(name)))) return;
  const message = `${names.join(', ')} ${names.length > 1 ? 'are not kept together' : 'is not kept'}`;
  mistakes.push({ parameter: by.length > 0 ? 'by' : (names[0] ?? 'by'), message, allowed: groupsText(groups) });
}

function groupsText(groups: readonly (readonly string[])[]): string {
  return groups.map((group) => group.join(',')).join(' or ') || 'none';
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}
