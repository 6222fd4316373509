import type { Cubes } from '@weir/usage';
import { Router, type Request } from 'express';
import type { Logger } from 'pino';
import type { Account } from '../accounts';
import type { Turns } from '../v1/turns';
import { failed, inTurn, onlyRead, ParameterError, parametersOf, readerNeeded, say } from './plain';
import { createTrackerAnswers } from './tracker-answers';
import { entityOf, limitOf, rangeOf } from './tracker-question';

export interface TrackerOptions {
  cubes: Cubes;
  accounts: readonly Account[];
  turns: Turns;
  log: Logger;
  /** Unix time in milliseconds. */
  now?: () => number;
}

/**
 * Cask Tracker's audit metrics, mounted under `/v3`, for clients that exist already: what was done to which entities of
 * a namespace (reference usage-metrics part 2; what differs and why, docs/peers.md).
 */
export function createTracker({ cubes, accounts, turns, log, now = Date.now }: TrackerOptions): Router {
  const answers = createTrackerAnswers({ cubes, now });
  const service = Router({ mergeParams: true });
  const paths: readonly (readonly [path: string, answer: (request: Request) => Promise<object>])[] = [
    ['/auditmetrics/top-entities/:kind', top],
    ['/auditmetrics/topEntities/:kind', top], // what it was called at first
    ['/auditmetrics/time-since', timeSince],
    ['/auditmetrics/audit-histogram', histogram],
  ];
  for (const [path, answer] of paths) {
    const answering = inTurn(turns, async (request, response) => void response.json(await answer(request)));
    service.route(path).get(answering).all(onlyRead);
  }
  service.all('/auditlog/:type/:name', (_, response) =>
    say(response, 501, 'Messages are not kept, only numbers: audit-histogram tells how many there were, and when.'),
  );
  service.all('/tracker-meter', (_, response) =>
    say(response, 501, 'Scores are not worked out here: top-entities and time-since tell what they were made of.'),
  );

  const router = Router();
  router.use(readerNeeded(accounts));
  router.use((_, response, next) => {
    response.set('cache-control', 'no-store');
    next();
  });
  router.use('/namespaces/:namespace/apps/_Tracker/services/TrackerService/methods/v1', service);
  router.use((_, response) => say(response, 404, 'There is nothing here.'));
  router.use(failed(log));
  return router;

  async function top(request: Request): Promise<object> {
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

  async function timeSince(request: Request): Promise<object> {
    const entity = entityOf(parametersOf(request));
    if (entity === undefined) throw new ParameterError('entityName and entityType must be specified.');
    return answers.timeSince(namespaceOf(request), entity);
  }

  async function histogram(request: Request): Promise<object> {
    const parameters = parametersOf(request);
    return answers.histogram(namespaceOf(request), rangeOf(parameters, now()), entityOf(parameters));
  }
}

function namespaceOf(request: Request): string {
  return String(request.params['namespace']);
}
