import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UniqueSources, UsageQueries } from '@weir/usage';
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from 'express';
import type { Logger } from 'pino';
import { mayRead, type Account } from './accounts';
import { renderAnswer } from './answer';
import { createPage } from './page';
import { METRIC_OF_PATH, ParameterError, questionOf } from './question';
import { createUniquesRoute } from './uniques';

export interface RoutesOptions {
  queries: UsageQueries;
  uniques: UniqueSources;
  accounts: readonly Account[];
  log: Logger;
}

/**
 * The peer's read API, `/v1alpha2/metrics/*` and `/v1alpha3/metrics/*`, for clients that exist already (reference
 * usage-metrics 1.6). Errors are its `{message}`. Who has no account learns nothing but that: 401 comes before 400
 * and 404. `/uniques` beside it is our own ({@link createUniquesRoute}).
 */
export function createRoutes({ queries, uniques, accounts, log }: RoutesOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', false);
  app.use(createPage());

  for (const version of ['v1alpha2', 'v1alpha3'] as const) {
    app.use(`/${version}/metrics`, accountNeeded(accounts));
    for (const [path, metric] of Object.entries(METRIC_OF_PATH)) {
      app
        .route(`/${version}/metrics/${path}`)
        .get(async (request, response) => {
          const parameters = new URL(request.url, 'http://stats').searchParams;
          const pieces = renderAnswer(metric, await queries.ask(questionOf(metric, parameters, version)));
          const first = await pieces.next(); // a Redis that fails now can still be answered with a status
          response.set({ 'content-type': 'application/json', 'cache-control': 'no-store' });
          await pipeline(Readable.from(resumed(first, pieces), { highWaterMark: 1 }), response);
        })
        .all((_, response) => say(response.set('allow', 'GET, HEAD'), 405, 'only GET and HEAD are allowed here'));
    }
  }
  app.use('/uniques', createUniquesRoute({ uniques, accounts, log }));
  app.use((_, response) => say(response, 404, 'Page Not Found'));
  app.use(failed(log));
  return app;
}

function accountNeeded(accounts: readonly Account[]): RequestHandler {
  return (request, response, next) => {
    if (mayRead(request.headers.authorization, accounts)) return next();
    say(response.set('www-authenticate', 'Basic realm="Wave Authentication"'), 401, 'Unauthorized');
  };
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
