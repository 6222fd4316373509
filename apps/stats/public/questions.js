import { formatDimension } from './format.js';
import { boundsOf, daysOf } from './state.js';

/** The address of a question about a statistic, in the range of the state and with its filters. */
export function queryPath(state, { statistic, measure, by = [], ...more }) {
  const parameters = new URLSearchParams({ statistic, measure, ...boundsOf(state) });
  if (by.length > 0) parameters.set('by', by.join());
  for (const [name, value] of Object.entries(more)) if (value !== undefined) parameters.set(name, String(value));
  for (const [name, value] of Object.entries(state.filters)) parameters.set(name, value ?? '');
  return `v1/query?${parameters}`;
}

/** The address of the gaps in the range of the state. */
export function gapsPath(state) {
  return `v1/gaps?${new URLSearchParams(boundsOf(state))}`;
}

/** The address of the number of distinct sources on the days of the range. */
export function uniquesPath(state) {
  return `v1/uniques?${new URLSearchParams({ ...daysOf(state), ...state.filters })}`;
}

/**
 * Why a statistic cannot be asked for these dimensions with these filters, in words; undefined where it can be. Numbers
 * are kept for certain groups of dimensions only.
 */
export function obstacleOf(description, what, by, filters) {
  const filtered = Object.keys(filters);
  const unknown = filtered.find((dimension) => !Object.hasOwn(description.dimensions, dimension));
  if (unknown !== undefined) return `${what} are not told apart by ${formatDimension(unknown)}.`;
  const wanted = [...new Set([...by, ...filtered])];
  const kept = description.groups.some((group) => wanted.every((dimension) => group.includes(dimension)));
  if (wanted.length === 0 || kept) return undefined;
  const [more, last] = [wanted.slice(0, -1), wanted.at(-1)].map((names) =>
    [names].flat().map(formatDimension).join(', '),
  );
  return `${what} are not kept by ${more === '' ? last : `${more} and ${last} together`}.`;
}

/** That a total is zero, in words. */
export function nothingOf({ label }, { filters }) {
  return `There are no ${label.toLowerCase()} in this range${Object.keys(filters).length > 0 ? ' with these filters' : ''}.`;
}
