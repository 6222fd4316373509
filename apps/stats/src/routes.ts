import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UniqueSources, UsageQueries, UsageQuery } from '@weir/usage';
import express, { type ErrorRequestHandler, type Express, type Response } from 'express';
import type { Logger } from 'pino';
import { accountNeeded, ForbiddenError, organizationFor, readerIn } from './access';
import type { Account, Reader } from './accounts';
import { renderAnswer } from './answer';
import { createPage } from './page';
import { METRIC_OF_PATH, ParameterError, questionOf } from './question';
import { createStatscache } from './peers/statscache';
import { createTracker } from './peers/tracker';
import { createUniquesRoute } from './uniques';
import { cors } from './v1/cors';
import { createV1, type V1Options } from './v1/routes';
import { inTurn } from './v1/turns';

export interface RoutesOptions {
  queries: UsageQueries;
  uniques: UniqueSources;
  /** What `/v1` asks; its turns bound all paths. */
  v1: Pick<V1Options, 'cubes' | 'flow' | 'turns' | 'metrics' | 'now'>;
  /** The OpenAPI document of `/v1`. */
  openApi: object;
  /** Origins of web pages that may ask. */
  origins: readonly string[];
  accounts: readonly Account[];
  log: Logger;
}

/**
 * The peer's read API, `/v1alpha2/metrics/*` and `/v1alpha3/metrics/*`, for clients that exist already (reference
 * usage-metrics 1.6). Errors are its `{message}`. Who has no account learns nothing but that: 401 comes before 400
 * and 404. `/v1` beside it is our own ({@link createV1}), with `/uniques` ({@link createUniquesRoute}); what it has is
 * told to everybody.
 */
export function createRoutes(options: RoutesOptions): Express {
  const { queries, uniques, v1, openApi, origins, accounts, log } = options;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', false);
  app.use(createPage());

  for (const version of ['v1alpha2', 'v1alpha3'] as const) {
    app.use(`/${version}/metrics`, accountNeeded(accounts, unauthorized), inTurn(v1.turns));
    for (const [path, metric] of Object.entries(METRIC_OF_PATH)) {
      app
        .route(`/${version}/metrics/${path}`)
        .get(async (request, response) => {
          const parameters = new URL(request.url, 'http://stats').searchParams;
          const question = scoped(questionOf(metric, parameters, version), readerIn(response));
          const pieces = renderAnswer(metric, await queries.ask(question));
          const first = await pieces.next(); // a Redis that fails now can still be answered with a status
          response.set({ 'content-type': 'application/json', 'cache-control': 'no-store' });
          await pipeline(Readable.from(resumed(first, pieces), { highWaterMark: 1 }), response);
        })
        .all((_, response) => say(response.set('allow', 'GET, HEAD'), 405, 'only GET and HEAD are allowed here'));
    }
  }
  app.use(['/v1', '/uniques', '/openapi.json'], cors(origins));
  app.get('/openapi.json', (_, response) => void response.set('cache-control', 'no-cache').json(openApi));
  app.use(['/uniques', '/v1/uniques'], createUniquesRoute({ uniques, turns: v1.turns, accounts, log }));
  app.use('/v1', createV1({ ...v1, accounts, log }));
  app.use('/v3', createTracker({ ...v1, accounts, log }));
  app.use('/api', createStatscache({ ...v1, accounts, log }));
  app.use((_, response) => say(response, 404, 'Page Not Found'));
  app.use(failed(log));
  return app;
}

function unauthorized(response: Response): void {
  say(response.set('www-authenticate', 'Basic realm="Wave Authentication"'), 401, 'Unauthorized');
}

/** The question, about nothing but what the reader may see. */
function scoped(question: UsageQuery, reader: Reader): UsageQuery {
  const organization = organizationFor(reader, question.organization);
  return organization === undefined ? question : { ...question, organization };
}

function failed(log: Logger): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return (error: Error & { status?: number }, request, response, _next) => {
    if (response.headersSent) {
      // Half an answer must not look like a whole one.
      log.warn({ reason: error.message, path: request.path }, 'an answer broke off');
      response.destroy();
    } else if (error instanceof ParameterError) {
      say(response, 400, error.message);
    } else if (error instanceof ForbiddenError) {
      say(response, 403, error.message);
    } else if (error.status !== undefined && error.status >= 400 && error.status < 500) {
      say(response, error.status, 'the request cannot be read');
    } else {
      log.warn({ reason: error.message, path: request.path }, 'the counters could not be read');
      say(response.set('retry-after', '5'), 503, 'the counters cannot be read at the moment; try again later');
    }
  };
}

async function* resumed(first: IteratorResult<string>, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}

function say(response: Response, status: number, message: string): void {
  response.status(status).json({ message });
}
