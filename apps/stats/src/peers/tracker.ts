import type { Cubes } from '@weir/usage';
import { Router, type Request } from 'express';
import type { Logger } from 'pino';
import { failed, onlyRead, ParameterError, parametersOf, readerNeeded, say, type FindReader } from './plain';
import { createTrackerAnswers } from './tracker-answers';
import { entityOf, limitOf, rangeOf } from './tracker-question';

export interface TrackerOptions {
  cubes: Cubes;
  readerOf: FindReader;
  log: Logger;
  /** Unix time in milliseconds. */
  now?: () => number;
}

/**
 * Cask Tracker's audit metrics, mounted under `/v3`, for clients that exist already: what was done to which entities of
 * a namespace (reference usage-metrics part 2; what differs and why, docs/peers.md).
 */
export function createTracker({ cubes, readerOf, log, now = Date.now }: TrackerOptions): Router {
  const answers = createTrackerAnswers({ cubes, now });
  const service = Router({ mergeParams: true });
  const metrics = '/auditmetrics';

  // `topEntities` is what it was called at first.
  for (const name of ['top-entities', 'topEntities']) {
    service
      .route(`${metrics}/${name}/:kind`)
      .get(async (request, response) => response.json(await topOf(request)))
      .all(onlyRead);
  }
  service
    .route(`${metrics}/time-since`)
    .get(async (request, response) => {
      const entity = entityOf(parametersOf(request));
      if (entity === undefined) throw new ParameterError('entityName and entityType must be specified.');
      response.json(await answers.timeSince(namespaceOf(request), entity));
    })
    .all(onlyRead);
  service
    .route(`${metrics}/audit-histogram`)
    .get(async (request, response) => {
      const parameters = parametersOf(request);
      const range = rangeOf(parameters, now());
      response.json(await answers.histogram(namespaceOf(request), range, entityOf(parameters)));
    })
    .all(onlyRead);
  service.all('/auditlog/:type/:name', (_, response) =>
    say(response, 501, 'Messages are not kept, only numbers: audit-histogram tells how many there were, and when.'),
  );
  service.all('/tracker-meter', (_, response) =>
    say(response, 501, 'Scores are not worked out here: top-entities and time-since tell what they were made of.'),
  );

  async function topOf(request: Request): Promise<readonly object[]> {
    const parameters = parametersOf(request);
    const [limit, range, entity] = [limitOf(parameters), rangeOf(parameters, now()), entityOf(parameters)];
    const namespace = namespaceOf(request);
    switch (request.params['kind']) {
      case 'datasets':
        return answers.topDatasets(namespace, range, limit);
      case 'programs':
        return answers.topPrograms(namespace, range, limit, entity);
      case 'applications':
        return answers.topApplications(namespace, range, limit, entity);
      default:
        throw new ParameterError('Invalid request for top entities: path not recognized.');
    }
  }

  const router = Router();
  router.use(readerNeeded(readerOf));
  router.use((_, response, next) => {
    response.set('cache-control', 'no-store');
    next();
  });
  router.use('/namespaces/:namespace/apps/_Tracker/services/TrackerService/methods/v1', service);
  router.use((_, response) => say(response, 404, 'There is nothing here.'));
  router.use(failed(log));
  return router;
}

function namespaceOf(request: Request): string {
  return String(request.params['namespace']);
}
