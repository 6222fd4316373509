import { isCalendarDay, type Metric, type UsageQuery } from '@weir/usage';

/** The peer's paths: `fusion/pulls` is the metric `fusion` (reference usage-metrics 1.6). */
export const METRIC_OF_PATH: Readonly<Record<string, Metric>> = {
  builds: 'builds',
  pulls: 'pulls',
  'fusion/pulls': 'fusion',
  mirrors: 'mirrors',
  scans: 'scans',
};

/** What `arch` may say, in the order in which the peer lists it. */
const ARCHITECTURES = ['amd64', 'x86_64', 'x86-64', 'arm64', 'aarch64', 'arm'];

/** A parameter is wrong; the message is the answer's, word for word the peer's where the peer has one. */
export class ParameterError extends Error {}

/**
 * Reads the parameters of a request. Empty ones count as absent. v1alpha2 knows no architecture: there `arch` is
 * ignored, though what it could never mean is refused, as the peer does.
 *
 * @throws ParameterError
 */
export function questionOf(metric: Metric, parameters: URLSearchParams, version: 'v1alpha2' | 'v1alpha3'): UsageQuery {
  const day = single(parameters, 'date');
  const organization = single(parameters, 'org');
  const architecture = single(parameters, 'arch');
  if (day !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(day)) {
    throw new ParameterError('date format should be yyyy-MM-dd');
  }
  if (day !== undefined && !isCalendarDay(day)) {
    throw new ParameterError(`date should be a day of the calendar: there is no ${day}`);
  }
  if (architecture !== undefined && !ARCHITECTURES.includes(architecture)) {
    throw new ParameterError(`arch should be one of [${ARCHITECTURES.join(', ')}]`);
  }
  if (organization !== undefined && organization.length > 253) {
    throw new ParameterError('org should be at most 253 characters');
  }
  return {
    metric,
    ...(day === undefined ? {} : { day }),
    ...(organization === undefined ? {} : { organization }),
    ...(architecture === undefined || version === 'v1alpha2' ? {} : { architecture }),
  };
}

function single(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name);
  if (values.length > 1) throw new ParameterError(`${name} should be given once`);
  return values[0] === '' ? undefined : values[0];
}
