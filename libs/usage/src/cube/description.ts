import type { Description } from './question';

/** A statistic's description as the redis-worker has written it down; undefined for text that is none. */
export function parseDescription(text: string): Description | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return isDescription(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isDescription(found: unknown): found is Description {
  if (!isObject(found)) return false;
  const { measures, dimensions, groups, latest, keepDays, names, failures, state } = found;
  return (
    ['name', 'summary', 'description'].every((field) => typeof found[field] === 'string') &&
    isObject(measures) && Object.values(measures).every((measure) => isObject(measure) && typeof measure['summary'] === 'string') &&
    isObject(dimensions) && Object.values(dimensions).every((text) => typeof text === 'string') &&
    isGroups(groups) && isGroups(latest) &&
    isObject(keepDays) && isCount(keepDays['hour']) && isCount(keepDays['day']) &&
    isCount(names) && isCount(failures) && (state === 'live' || state === 'filling')
  ); // prettier-ignore
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isGroups(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((group) => Array.isArray(group) && group.every((dimension) => typeof dimension === 'string'))
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
