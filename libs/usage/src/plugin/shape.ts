import { z } from 'zod';
import type { Cube } from '../statistic';

/** What a user's statistic may look like: it comes from a file, its names go into keys and into URLs. */

/** Parameters of the API and fields of its rows: a dimension is both, so none may be called like one of them. */
const RESERVED: ReadonlySet<string> = new Set([
  'statistic', 'measure', 'from', 'to', 'interval', 'by', 'top', 'weekday', 'compare', 'fill', 'limit', 'cursor', 'format',
  'time', 'value', 'previous',
]); // prettier-ignore

export const MOST = { measures: 16, dimensions: 16, groups: 32, together: 8, days: 3650, names: 1_000_000 } as const;

const text = (max: number) =>
  z.string('must be text').trim().min(1, 'must not be empty').max(max, `must be at most ${max} characters`);
const word = z
  .string('must be text')
  .regex(/^[a-z][A-Za-z0-9]{0,39}$/, 'must be letters and digits, a small letter first, at most 40 characters');
const whole = (min: number, max: number, what: string) =>
  z.int(`must be a whole number of ${what}`).min(min, `must be ${min} to ${max} ${what}`).max(max, `must be ${min} to ${max} ${what}`); // prettier-ignore
const days = (min: number) => whole(min, MOST.days, 'days');

const measure = z.strictObject({
  summary: text(200),
  unit: z.enum(['bytes', 'ms'], "must be 'bytes' or 'ms', or left out for plain counts").optional(),
});

const counted = (entries: object, min: number, max: number) =>
  Object.keys(entries).length >= min && Object.keys(entries).length <= max;

const groups = z
  .array(
    z.array(word, 'must be a list of dimensions').min(1, 'must name a dimension: the total is always kept').max(MOST.together, `must have at most ${MOST.together} dimensions`),
    'must be a list of groups of dimensions',
  )
  .max(MOST.groups, `must be at most ${MOST.groups} groups`)
  .superRefine((list, context) => {
    const seen = new Set<string>();
    for (const [at, group] of list.entries()) {
      const same = [...group].sort().join();
      if (new Set(group).size < group.length) context.addIssue({ code: 'custom', path: [at], message: 'names a dimension twice' });
      if (seen.has(same)) context.addIssue({ code: 'custom', path: [at], message: 'is there twice' });
      seen.add(same);
    }
  }); // prettier-ignore

/** Everything of a cube but that it counts right. */
export const cubeShape = z
  .strictObject({
    name: z
      .string('must be text')
      .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be small letters, digits and dashes, a letter first, at most 40 characters'), // prettier-ignore
    summary: text(200),
    description: text(2000),
    measures: z
      .record(word, measure, 'must be an object: measure → { summary, unit }')
      .refine((all) => counted(all, 1, MOST.measures), `must be 1 to ${MOST.measures} measures`),
    dimensions: z
      .record(word, text(200), 'must be an object: dimension → what its values are')
      .refine((all) => counted(all, 0, MOST.dimensions), `must be at most ${MOST.dimensions} dimensions`),
    groups,
    latest: groups.optional(),
    keepDays: z.strictObject({ hour: days(1), day: days(1) }).optional(),
    names: whole(1, MOST.names, 'names').optional(),
    historyDays: days(0).optional(),
    version: text(100).optional(),
    increments: z.custom<Cube['increments']>(
      (value) => typeof value === 'function',
      'must be a function from an event to a list of increments',
    ),
  })
  .superRefine(({ dimensions, groups: all, latest = [] }, context) => {
    const add = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    const known = Object.keys(dimensions);
    for (const name of known) {
      if (RESERVED.has(name)) add(['dimensions', name], `is a word of the API: not one of ${[...RESERVED].join(', ')}`);
    }
    for (const [at, group] of all.entries()) {
      const strange = group.find((name) => !known.includes(name));
      if (strange !== undefined) add(['groups', at], `has '${strange}', which is none of its dimensions: ${known.join(', ')}`); // prettier-ignore
    }
    for (const [at, group] of latest.entries()) {
      if (!all.some((each) => each.join() === group.join())) add(['latest', at], 'must be one of its groups, in the same order'); // prettier-ignore
    }
  });
