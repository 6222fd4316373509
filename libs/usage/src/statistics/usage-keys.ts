import { architecturesOf, organizationOf, type WeirEvent } from '@weir/events';
import { entry } from '../entry';
import type { Metric } from '../keys';
import type { Keyed, Step } from '../statistic';

/** Remembered combinations of organization, architectures and metric; when there are more, all are made again. */
const REMEMBERED = 20_000;

/** What an event of each type counts as. A check is no pull, and the end of a build is not another build. */
const metricOf: ReadonlyMap<string, Metric> = new Map([
  ['io.weir.pull', 'pulls'],
  ['io.weir.build', 'builds'],
  ['io.weir.mirror', 'mirrors'],
  ['io.weir.scan', 'scans'],
]);

/** Seed 000: usage by day, organization and architecture, under the seed's own keys. */
export const usageKeys: Keyed = {
  name: 'usage-keys',
  summary: 'Pulls, Fusion pulls, builds, mirrors and scans by day, organization and architecture.',
  description:
    'One for every pull, build, mirror and scan that begins; a pull whose image uses Fusion also counts as fusion. ' +
    'Checks and the ends of builds, mirrors and scans are not counted. Without a known organization only the day and ' +
    'the architecture count; without a known architecture only the day and the organization. One event of several ' +
    'platforms is one for the day and the organization, and one for each of its distinct architectures.',
  steps,
};

const none: readonly Step[] = [];

/** Organization → architectures → what counts → steps. Three short look-ups cost less than one of a made-up name. */
const known = new Map<string | undefined, Map<string, Map<string, readonly Step[]>>>();
let remembered = 0;

function steps(event: WeirEvent): readonly Step[] {
  const metric = metricOf.get(event.type);
  if (metric === undefined) return none;
  const fusion = metric === 'pulls' && event.data['fusion'] === true;
  const architectures = architecturesOf(event);
  const organization = organizationOf(event);

  if (remembered > REMEMBERED) {
    known.clear();
    remembered = 0;
  }
  const ofOrganization = entry(known, organization, () => new Map());
  const ofArchitectures = entry(ofOrganization, architectures.join(), () => new Map());
  return entry(ofArchitectures, fusion ? 'fusion' : metric, () => {
    remembered++;
    const metrics: Metric[] = fusion ? ['pulls', 'fusion'] : [metric];
    return metrics.flatMap((each) => stepsOf(each, organization, architectures));
  });
}

/**
 * The day always; the organization, if known, for all time and for the day; and each architecture in the same ways
 * (reference usage-metrics 1.2). The peer counts the day twice for architectures it does not know (A.7): here every
 * counter is named once, because the architectures are distinct.
 */
function stepsOf(metric: Metric, organization: string | undefined, architectures: readonly string[]): Step[] {
  const step = (dimensions: Step['dimensions'], resolution: Step['resolution']): Step => {
    return { measure: metric, dimensions, resolution };
  };
  const both = (dimensions: Step['dimensions']) => [step(dimensions, 'all'), step(dimensions, 'day')];
  return [
    step({}, 'day'),
    ...(organization === undefined ? [] : both({ o: organization })),
    ...architectures.flatMap((architecture) => [
      ...both({ a: architecture }),
      ...(organization === undefined ? [] : both({ o: organization, a: architecture })),
    ]),
  ];
}
