import { z } from 'zod';

/** What the read API answers (`/openapi.json`), as far as it is shown here; whatever else there is stays as it is. */

const count = z.number().finite();
const value = z.string().nullable();

export const gap = z.looseObject({
  from: z.string(),
  to: z.string(),
  reason: z.string(),
  service: z.string().optional(),
});

export const row = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));

const queryHead = z.looseObject({
  statistic: z.string(),
  measure: z.string(),
  unit: z.string().nullish(),
  from: z.string(),
  to: z.string(),
  resolution: z.string().optional(),
  interval: z.string().nullish(),
  by: z.array(z.string()),
  top: count.nullish(),
  total: count,
  anonymous: count.nullish(),
  other: count.nullish(),
  capped: z.boolean().optional(),
  rest: count.nullish(),
  groups: count.optional(),
  complete: z.boolean().optional(),
  gaps: z.array(gap).default([]),
  state: z.string().optional(),
  since: z.string().nullish(),
  failures: count.default(0),
  comparison: z.looseObject({ from: z.string(), to: z.string(), total: count, change: count.nullable() }).nullish(),
});

export const queryAnswer = queryHead.extend({ rows: z.array(row), next: z.string().nullish() });

export const latestAnswer = z.looseObject({
  statistic: z.string(),
  by: z.array(z.string()),
  rows: z.array(row),
});

const statistic = z.looseObject({
  name: z.string(),
  summary: z.string(),
  measures: z.record(z.string(), z.looseObject({ summary: z.string(), unit: z.string().optional() })),
  dimensions: z.record(z.string(), z.string()),
  groups: z.array(z.array(z.string())),
  latest: z.array(z.array(z.string())).default([]),
  state: z.string(),
  failures: count.default(0),
  lastFailure: z.string().nullish(),
});

export const statisticsAnswer = z.looseObject({ statistics: z.array(statistic) });

export const gapsAnswer = z.looseObject({ complete: z.boolean(), gaps: z.array(gap) });

export const uniquesAnswer = z.looseObject({
  from: z.string(),
  to: z.string(),
  repository: value.optional(),
  organization: value.optional(),
  sources: count,
  error: count,
  atMost: z.boolean(),
  outsideRetention: count,
  leftOut: count,
  days: z.array(z.looseObject({ day: z.string(), sources: count.nullable() })),
});

export type Gap = z.infer<typeof gap>;
export type AnswerRow = z.infer<typeof row>;
export type QueryAnswer = z.infer<typeof queryAnswer>;
/** All but the rows. */
export type QueryHead = z.infer<typeof queryHead>;
export type Statistic = z.infer<typeof statistic>;
export type LatestAnswer = z.infer<typeof latestAnswer>;
export type UniquesAnswer = z.infer<typeof uniquesAnswer>;
