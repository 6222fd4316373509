export { formatCounter, formatKey, isCalendarDay, METRICS, parseKey } from './keys';
export type { Metric, UsageKey } from './keys';
export type { Increment, Statistic } from './statistic';
export { statistics } from './statistics';
export { createCounter } from './counter';
export type { Counted, Counter, CounterOptions } from './counter';
export type { Uncountable } from './batch';
export { createQueries } from './queries';
export type { OrganizationCounts, UsageAnswer, UsageQueries, UsageQuery } from './queries';
