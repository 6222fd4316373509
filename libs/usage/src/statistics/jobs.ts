import type { WeirEvent } from '@weir/events';
import type { Cube, Increment } from '../statistic';
import { IMAGE_DIMENSIONS, imageDimensions, textOf, wholeOf } from './fields';

/** Classes of durations: the first that is longer than it took. */
const CLASSES: readonly [limitMs: number, name: string][] = [
  [10_000, '0s-10s'],
  [60_000, '10s-1m'],
  [300_000, '1m-5m'],
  [900_000, '5m-15m'],
  [3_600_000, '15m-1h'],
  [Infinity, '1h-'],
];

/** Each begins with an event and ends with another one, and is counted by both. */
function jobs(kind: 'build' | 'mirror' | 'scan', what: string): Cube {
  const [begun, ended] = [`io.weir.${kind}`, `io.weir.${kind}.finished`];
  return {
    name: `${kind}s`,
    summary: `${what} by outcome, duration, organization, repository and architecture.`,
    description:
      `What was started, by \`${begun}\`, and what has finished, by \`${ended}\`; each in the hour of its own event, so ` +
      'the difference of a range is not what is still running. Outcome and duration are known of what has finished ' +
      'only. What is made for several platforms is one, and one of each architecture.',
    measures: {
      started: { summary: `${what} that were launched.` },
      finished: { summary: `${what} that ended, well or not.` },
      durationMs: { summary: 'How long those took that ended, all together.', unit: 'ms' },
    },
    dimensions: {
      ...IMAGE_DIMENSIONS,
      outcome: '`succeeded`, `failed`, `cancelled` or `timed-out`.',
      duration: `How long it took: ${CLASSES.map(([, name]) => `\`${name}\``).join(', ')}.`,
    },
    groups: [
      ['organization'],
      ['repository'],
      ['architecture'],
      ['outcome'],
      ['duration'],
      ['organization', 'repository'],
      ['organization', 'architecture'],
      ['organization', 'outcome'],
      ['repository', 'outcome'],
      ['architecture', 'outcome'],
      ['outcome', 'duration'],
    ],
    latest: [['repository', 'outcome']],
    increments(event) {
      if (event.type === begun) return [{ measures: started, dimensions: imageDimensions(event) }];
      return event.type === ended ? [finished(event)] : none;
    },
  };
}

const none: readonly Increment[] = [];
const started = { started: 1 };

function finished(event: WeirEvent): Increment {
  const duration = typeof event.data['durationMs'] === 'number' ? wholeOf(event, 'durationMs') : undefined;
  return {
    measures: { finished: 1, durationMs: duration ?? 0 },
    dimensions: {
      ...imageDimensions(event),
      outcome: textOf(event.data, 'outcome'),
      duration: duration === undefined ? undefined : CLASSES.find(([limit]) => duration < limit)?.[1],
    },
  };
}

export const builds = jobs('build', 'Builds');
export const mirrors = jobs('mirror', 'Copies of images to other registries');
export const scans = jobs('scan', 'Security scans');
