import { ParameterError } from './plain';
import { trackerTime } from './tracker-time';

/** Unix time in seconds, both included. */
export interface Range {
  start: number;
  end: number;
}

export interface Entity {
  entityType: string;
  entityName: string;
}

/** The peer reads no more than a thousand rows of its own cube, either. */
const MAX_LIMIT = 1000;

/** How many rows of a ranking. @throws ParameterError */
export function limitOf(parameters: URLSearchParams): number {
  const text = parameters.get('limit') ?? '5';
  if (!/^[+-]?\d+$/.test(text)) throw new ParameterError('limit must be a whole number.');
  if (Number(text) <= 0) throw new ParameterError('limit cannot be negative or zero.');
  return Math.min(Number(text), MAX_LIMIT);
}

/** @param now Unix time in milliseconds. @throws ParameterError */
export function rangeOf(parameters: URLSearchParams, now: number): Range {
  const end = trackerTime(parameters.get('endTime') ?? 'now', now);
  const start = trackerTime(parameters.get('startTime') ?? '0', now);
  if (start === undefined || end === undefined) {
    throw new ParameterError(
      'startTime or endTime was not in the correct format. ' +
        'Use unix timestamps or date mathematics such as now-1h.',
    );
  }
  // The peer refuses equal ones too.
  if (start >= end) throw new ParameterError('startTime cannot be greater than endTime.');
  return { start, end };
}

/** The entity that is asked for; undefined unless both of its parameters are there. Types are kept in small letters. */
export function entityOf(parameters: URLSearchParams): Entity | undefined {
  const entityType = parameters.get('entityType')?.toLowerCase();
  const entityName = parameters.get('entityName');
  return entityType && entityName ? { entityType, entityName } : undefined;
}
