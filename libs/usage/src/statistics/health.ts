import type { Cube } from '../statistic';
import { textOf, wholeOf } from './fields';

/** Seed 003: what health monitors measured. */
export const health: Cube = {
  name: 'health',
  summary: 'Health of services: how often they were asked, how often they were well, how fast they answered.',
  description:
    'One for every `io.weir.health`. The share of healthy checks is healthy divided by checks; the mean response time ' +
    'is responseTimeMs divided by timed.',
  measures: {
    checks: { summary: 'Measurements.' },
    healthy: { summary: 'Measurements that found the service well.' },
    timed: { summary: 'Measurements that say how long the answer took.' },
    responseTimeMs: { summary: 'How long the answers took, all together.', unit: 'ms' },
  },
  dimensions: { service: 'The service that was measured.' },
  groups: [['service']],
  latest: [['service']],
  increments(event) {
    if (event.type !== 'io.weir.health') return [];
    const measures = {
      checks: 1,
      healthy: event.data['healthy'] === true ? 1 : 0,
      timed: typeof event.data['responseTimeMs'] === 'number' ? 1 : 0,
      responseTimeMs: wholeOf(event, 'responseTimeMs'),
    };
    return [{ measures, dimensions: { service: textOf(event.data, 'service') } }];
  },
};
