import { INTERVALS } from '@weir/usage';
import { z } from 'zod';
import type {} from 'zod-openapi'; // its types of meta

/** What is answered, for the OpenAPI document; the tests hold every answer against it. */

const time = z.iso.datetime().meta({ description: 'ISO 8601, UTC.', example: '2026-11-28T13:00:00Z' });
const count = z.number();
const names = z.array(z.string());

export const gap = z
  .strictObject({
    from: time,
    to: time,
    reason: z.enum(['flow', 'emergency', 'outage']).meta({
      description:
        'flow: nothing went through to the counters; emergency: events came by the emergency path; outage: a service said that it was down.',
    }),
    service: z.string().optional().meta({ description: 'Of an outage: the service.' }),
  })
  .meta({ id: 'Gap', description: 'An interval whose numbers may not be whole; they are not zero.' });

export const row = z
  .object({
    time: time.optional().meta({ description: 'Start of the interval.' }),
    value: count,
    previous: count.optional().meta({ description: 'The number at the same place of the range before.' }),
  })
  .catchall(z.string().nullable())
  .meta({
    id: 'Row',
    description: 'One number; the dimensions of by are members of it, null where a value is not known.',
  });

export const comparison = z
  .strictObject({
    from: time,
    to: time,
    total: count,
    change: z.number().nullable().meta({ description: 'total of now divided by that of before, less 1; null when that is 0.' }),
  })
  .meta({ id: 'Comparison' }); // prettier-ignore

export const queryAnswer = z
  .strictObject({
    statistic: z.string(),
    measure: z.string(),
    unit: z.enum(['bytes', 'ms']).optional(),
    from: time.meta({ description: 'The range that was counted: what was asked for, widened to whole hours or days.' }),
    to: time,
    resolution: z.enum(['hour', 'day']),
    interval: z.enum(INTERVALS).optional(),
    by: names,
    filters: z.record(z.string(), z.string().nullable()),
    top: count.optional(),
    weekday: names.optional(),
    total: count.meta({ description: 'All that the filters and the range leave, named or not.' }),
    anonymous: count.optional().meta({ description: 'How much of the total has no known organization.' }),
    other: count.optional().meta({ description: 'How much of the total had no room for a name of its own.' }),
    capped: z.boolean().meta({ description: 'Whether there was something that had no room: then names may be missing.' }),
    rest: count.optional().meta({ description: 'With top: how much the combinations have that are not among them.' }),
    groups: count.meta({ description: 'How many combinations there are, before top.' }),
    complete: z.boolean().meta({
      description: 'Whether nothing is known to be missing: no gaps, not being filled, nothing before since.',
    }),
    gaps: z.array(gap),
    state: z.enum(['live', 'filling']),
    since: time.optional().meta({ description: 'It says nothing about what was before.' }),
    failures: count.meta({ description: 'Events that the statistic could not count, ever.' }),
    comparison: comparison.optional(),
    rows: z.array(row),
    next: z.string().optional().meta({ description: 'Address of the next page.' }),
  })
  .meta({ id: 'Answer' }); // prettier-ignore

export const latestAnswer = z
  .strictObject({
    statistic: z.string(),
    by: names,
    filters: z.record(z.string(), z.string().nullable()),
    rows: z.array(z.object({ time }).catchall(z.string().nullable())),
  })
  .meta({ id: 'LatestAnswer' });

export const gapsAnswer = z
  .strictObject({ from: time, to: time, complete: z.boolean(), gaps: z.array(gap) })
  .meta({ id: 'GapsAnswer' });

export const description = z
  .strictObject({
    name: z.string(),
    summary: z.string(),
    description: z.string(),
    measures: z.record(z.string(), z.strictObject({ summary: z.string(), unit: z.enum(['bytes', 'ms']).optional() })),
    dimensions: z.record(z.string(), z.string()),
    groups: z.array(names).meta({ description: 'Dimensions that are kept together, and can be asked for together.' }),
    latest: z.array(names).meta({ description: 'Groups that /v1/latest can be asked for.' }),
    keepDays: z.strictObject({ hour: count, day: count }),
    names: count.meta({ description: 'How many combinations of a group are told apart in one hour or day.' }),
    state: z.enum(['live', 'filling']),
    since: time.optional(),
    failures: count,
    lastFailure: z.string().optional(),
  })
  .meta({ id: 'Statistic' });

export const statisticsAnswer = z.strictObject({ statistics: z.array(description) }).meta({ id: 'Statistics' });

export const uniquesAnswer = z
  .strictObject({
    from: z.iso.date(),
    to: z.iso.date(),
    repository: z.string().optional(),
    organization: z.string().optional(),
    sources: count,
    exact: z.literal(false),
    error: z.number(),
    atMost: z.boolean(),
    outsideRetention: count,
    leftOut: count,
    days: z.array(z.strictObject({ day: z.iso.date(), sources: count.nullable() })),
  })
  .meta({ id: 'Uniques' });

export const problemDocument = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().optional(),
    errors: z.array(z.strictObject({ parameter: z.string(), message: z.string(), allowed: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457; errors names each parameter that is wrong.' });

export const uniquesProblem = problemDocument
  .extend({ errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional() })
  .meta({ id: 'UniquesProblem', description: 'RFC 9457; errors names each parameter that is wrong as field.' });
