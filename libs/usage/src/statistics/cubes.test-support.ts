import { createEvent } from '@weir/events';
import type { Cube } from '../statistic';

/** What a cube makes of an event: measures other than 0, and the dimensions that are known. */
export function said(cube: Cube, type: string, data: Record<string, unknown>) {
  const event = createEvent(type, data, { source: 'test', time: new Date('2026-11-28T12:00:00.000Z') });
  return cube.increments(event).map(({ measures, dimensions }) => ({
    measures: Object.fromEntries(Object.entries(measures).filter(([, by]) => by !== 0)),
    dimensions: Object.fromEntries(
      Object.entries(dimensions).filter(([, value]) => value !== undefined && value.length > 0),
    ),
  }));
}

const fields = [
  'repository', 'tag', 'platform', 'platforms', 'user', 'client', 'country', 'network', 'fusion', 'kind', 'pattern', 'bytes',
  'outcome', 'durationMs', 'service', 'healthy', 'responseTimeMs', 'namespace', 'entityType', 'entityName', 'action', 'accessor',
]; // prettier-ignore

/** Data as nobody should send it; no statistic may throw on it. */
export const nonsense: readonly Record<string, unknown>[] = [
  {},
  ...[null, 7, 'x', true, [], {}, [null, 7, {}], { name: 7 }].map((value) =>
    Object.fromEntries(fields.map((field) => [field, value])),
  ),
  { bytes: -1, durationMs: NaN, responseTimeMs: 1e300, platform: '', platforms: ['', '//'] },
];
